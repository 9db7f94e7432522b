"""Attributes as other libraries name them, and our names for them, for error messages."""

from __future__ import annotations

from typing import Any

_EXECUTE = "execute(code) or execute(command=...)"
_SHARED = {
    "cmd": _EXECUTE,
    "commands": _EXECUTE,
    "eval": _EXECUTE,
    "exec": _EXECUTE,
    "exec_async": "start()",
    "execute_async": "start()",
    "fs": "files",
    "filesystem": "files",
    "killAll": "kill_all()",
    "popen": "start()",
    "process": "start()",
    "run": _EXECUTE,
    "runCode": "execute(code)",
    "run_code": "execute(code)",
    "run_command": "execute(command=...)",
    "shell": "execute(command=...)",
    "spawn": "start()",
}
METHODS = {
    "Session": {
        **_SHARED,
        "close": "delete()",
        "destroy": "delete()",
        "getHost": "preview_url",
        "get_host": "preview_url",
        "get_info": "info()",
        "previewUrl": "preview_url",
        "sessionId": "id",
        "session_id": "id",
        "sandbox_id": "id",
        "shutdown": "delete()",
        "stayAwake": "stay_awake()",
        "terminate": "delete()",
        "upload": "files.upload()",
        "download": "files.download()",
        "waitForPort": "wait_for_port()",
    },
    "Buntime": {
        **{name: ours for name, ours in _SHARED.items() if not ours.startswith("start")},
        "create": "sessions.create()",
        "create_session": "sessions.create()",
        "rateLimit": "rate_limit",
        "sandboxes": "sessions",
        "session": "sessions.create() or sessions.attach()",
        "withOptions": "with_options()",
    },
}
"""For each class, the expression to write instead of an attribute."""


def missing_attribute(instance: object, name: str) -> Any:
    """Raise the ``AttributeError`` for an attribute that was not found, as ``__getattr__`` must."""
    kind = next((kind.__name__ for kind in type(instance).__mro__ if kind.__name__ in METHODS), "")
    ours = METHODS.get(kind, {}).get(name)
    if ours is None:
        # The usual error, also of a property that raised an AttributeError itself.
        return object.__getattribute__(instance, name)
    raise AttributeError(f"{type(instance).__name__!r} object has no attribute {name!r}; use {ours}")
