"""A call and its arguments as a request."""

from __future__ import annotations

import difflib
import functools
import inspect
import json
import os
import re
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Callable, Optional, TypeVar, cast
from urllib.parse import quote

import attrs

from buntime._http import Pairs, Request
from buntime.runloop.wire.multipart import form
from buntime.runloop.wire.routes import Repeat, Route
from buntime.runloop.wire.views.devboxes import LaunchParametersView
from buntime.wire.json import json_body

M = TypeVar("M", bound=Callable[..., Any])
Params = Mapping[str, Any]
"""The fields of a call and its options, by name."""

_ACCEPT = {
    "text": "text/plain",
    "bytes": "application/octet-stream",
    "zip": "application/zip",
    "stream": "text/event-stream",
}
_JSON_NAMES = {"run_profile": "runProfile", "env_vars": "envVars", "launch_parameters": "launchParameters"}
_TEXTS = frozenset(
    {"command", "command_id", "file_path", "contents", "path", "name", "shell_name", "text", "commit_message"}
)
NEW_SHELL = re.compile(r"shell-[0-9a-f]{32}")
"""A name from :func:`new_shell`."""
OPTIONS = ("timeout", "idempotency_key", "extra_headers", "extra_query", "extra_body")
"""The options of every call."""
WAIT_OPTIONS = (*OPTIONS, "polling_config")
"""The options of a call that waits."""


def check_keywords(call: str, passed: Iterable[str], known: Sequence[str]) -> None:
    """Raise ``TypeError`` for an unknown keyword, with the one that it resembles."""
    for name in passed:
        if name not in known:
            raise TypeError(f"{call}() has no argument {name!r}{_near(name, known)}")


def names_keywords(method: M) -> M:
    """Decorate a method with required keywords: an unknown one is an error that names the near one."""
    _, *arguments = inspect.signature(method).parameters.values()
    known = (*(each.name for each in arguments if each.kind is not each.VAR_KEYWORD), *OPTIONS)

    @functools.wraps(method)
    def checked(*args: Any, **keywords: Any) -> Any:
        check_keywords(method.__name__, keywords, known)
        return method(*args, **keywords)

    return cast("M", checked)


def _near(name: object, known: Sequence[str], otherwise: str = "") -> str:
    near = difflib.get_close_matches(str(name), known, 1, 0.5)
    return f"; use {near[0]}" if near else otherwise


def _check_launch_parameters(fields: Params) -> None:
    """Raise ``TypeError`` for a key of ``launch_parameters`` that the API does not have."""
    known = [name for name in attrs.fields_dict(LaunchParametersView) if name != "extra"]
    for name, value in fields.items():
        if name in {"run_profile", "environment_parameters"} and isinstance(value, Mapping):
            _check_launch_parameters(value)
        is_checked = name in {"launch_parameters", "launchParameters"} and isinstance(value, Mapping)
        for key in value if is_checked else ():
            if key not in known:
                near = _near(key, known, "; if it is new in the API, pass it by extra_body")
                raise TypeError(f"{name} has no key {key!r}{near}")


def path_values(route: Route, values: Sequence[object], keywords: dict[str, Any]) -> dict[str, str]:
    """Return the values of the path, taken from positional arguments and keywords.

    Raises ``TypeError`` or ``ValueError`` for an id that is missing or cannot be an id.
    """
    if len(values) > len(route.arguments):
        names = ", ".join(route.arguments) or "no"
        raise TypeError(f"{route.name}() takes {names} as positional arguments; pass the others by name")
    named = dict(zip(route.arguments, values))
    for name in route.arguments:
        if name in keywords:
            if name in named:
                raise TypeError(f"{route.name}() got {name} twice")
            named[name] = keywords.pop(name)
        if name not in named:
            raise TypeError(f"{route.name}() needs {name}")
    return {name: resource_id(name, value) for name, value in named.items()}


def resource_id(name: str, value: object) -> str:
    """Return an id, which is never validated beyond what a path can hold."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {type(value).__name__}")
    if not value.strip() or value in {".", ".."} or not value.isprintable():
        raise ValueError(f"{name} is {value!r}, which cannot be an id")
    return value


def build(route: Route, path: Mapping[str, str], fields: Params, key: Optional[str]) -> Request:
    """Return the request of a call; ``None`` is an absent field.

    Raises ``TypeError`` and ``ValueError`` for fields that are missing or cannot be sent.
    """
    present = {name: value for name, value in fields.items() if value is not None}
    missing = sorted(route.required - present.keys())
    if missing:
        raise TypeError(f"{route.name}() needs {', '.join(missing)}")
    _check_launch_parameters(present)
    texts = {name: present[name] for name in _TEXTS & present.keys()}
    for name, value in {**texts, "idempotency_key": "" if key is None else key}.items():
        if not isinstance(value, str):
            raise TypeError(f"{name} must be a str, not {type(value).__name__}")
    if key and not (key.isascii() and key.isprintable()):
        raise ValueError(f"idempotency_key is {key!r}, which cannot be a header")
    target = route.path.format(**{name: quote(value, safe="") for name, value in path.items()})
    query = query_pairs({name: present[name] for name in route.query if name in present})
    headers = {"Accept": _ACCEPT.get(route.view, "application/json")}
    body: Any = None
    if route.is_multipart:
        headers["Content-Type"], body = form(present)
    elif route.method == "POST":
        headers["Content-Type"] = "application/json"
        if route.body:
            body = json_body(route.name, _body(route, present))
    if route.method != "GET":
        headers["x-request-id"] = key or str(uuid.uuid4())
    poll = route.is_wait or route.repeat is Repeat.COMMAND
    return Request(route.method, target, query, tuple(headers.items()), body, poll=poll)


def _body(route: Route, present: Params) -> dict[str, Any]:
    fields = {name: present[name] for name in route.body if name in present}
    if "run_profile" in fields:
        profile = fields.pop("run_profile")
        if not isinstance(profile, Mapping):
            raise TypeError(f"run_profile must be a mapping, not {type(profile).__name__}")
        fields["runProfile"] = {_JSON_NAMES.get(name, name): value for name, value in profile.items()}
    return fields


def with_extras(request: Request, extra_query: Optional[Params], extra_body: Optional[Params]) -> Request:
    """Return the request with more parameters and fields."""
    request = attrs.evolve(request, query=(*request.query, *query_pairs(extra_query or {})))
    if extra_body:
        if not isinstance(request.body, (bytes, type(None))):
            raise TypeError("extra_body cannot be added to an uploaded file")
        body = json.loads(request.body) if request.body else {}
        request = attrs.evolve(request, body=json_body("extra_body", {**body, **extra_body}))
    return request


def query_pairs(values: Params) -> Pairs:
    """Return values as parameters: a mapping as ``name[key]``, a list as the name repeated."""
    pairs: list[tuple[str, str]] = []
    for name, value in values.items():
        json_body(name, value)  # refuses what contains itself, lone surrogates and NaN
        try:
            pairs += _pairs(name, value)
        except RecursionError:
            raise ValueError(f"{name} is nested too deep") from None
    return tuple(pairs)


def _pairs(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        yield from query_pairs({f"{name}[{key}]": item for key, item in value.items()})
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _pairs(name, item)
    elif isinstance(value, (str, int, float)):
        yield name, str(value).lower() if isinstance(value, bool) else str(value)
    else:
        raise TypeError(f"{name} must be a str or a number, not {type(value).__name__}")


def new_command_id() -> str:
    """Return a UUID of version 7, as the API documents it for a command: milliseconds, then random bits."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 7 << 76
    return str(uuid.UUID(int=value & ~(3 << 62) | 2 << 62))


def new_shell() -> str:
    """Return a name for a shell that no other program uses."""
    return f"shell-{uuid.uuid4().hex}"
