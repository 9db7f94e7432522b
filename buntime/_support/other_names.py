"""Arguments as other libraries name them, and our names for them, for error messages."""

from __future__ import annotations

import functools
import sys
from collections.abc import Collection, Sequence
from types import FunctionType
from typing import Any, Callable, TypeVar

T = TypeVar("T")

# inspect.CO_VARARGS and CO_VARKEYWORDS, without the time to import inspect.
_HAS_ARGUMENTS, _HAS_OPTIONS = 0x04, 0x08

_ARGUMENTS = {
    "apiKey": "api_key",
    "baseUrl": "base_url",
    "cmd": "command",
    "concurrency": "size",
    "cwd": "working_dir",
    "envVars": "env",
    "env_vars": "env",
    "environment": "env",
    "envs": "env",
    "exclude": "ignore",
    "idempotencyKey": "idempotency_key",
    "maxRetries": "max_retries",
    "max_output_bytes": "max_output",
    "max_size": "size",
    "max_workers": "size",
    "onRetry": "on_retry",
    "onStderr": "on_stderr",
    "onStdout": "on_stdout",
    "query": "params",
    "resourceLimits": "resource_limits",
    "retryDelay": "retry_delay",
    "script": "code",
    "sessionId": "session_id",
    "source": "code",
    "timeout": "ttl",
    "timeoutMs": "timeout or ttl",
    "timeout_ms": "timeout or ttl",
    "workdir": "working_dir",
    "workingDir": "working_dir",
    "working_directory": "working_dir",
}


def check_arguments(call: str, options: Collection[str], known: Collection[str]) -> None:
    """Raise ``TypeError`` for a keyword argument that a call does not have, with our name for it."""
    unknown = [name for name in options if name not in known]
    if not unknown:
        return
    name = min(unknown)
    ours = next((each for each in _ARGUMENTS.get(name, "").split(" or ") if each in known), None)
    if ours is None:
        from difflib import get_close_matches  # here, as it takes a millisecond to import

        ours = next(iter(get_close_matches(name, sorted(known), 1)), None)
    unit = ", in seconds" if ours in {"timeout", "ttl"} else ""
    hint = "" if ours is None else f"; use {ours}{unit}"
    raise TypeError(f"{call}() got an unexpected keyword argument {name!r}{hint}")


def refuse_positional(call: str, passed: int, count: int, by_name: Sequence[str]) -> None:
    """Raise ``TypeError`` if more than the ``count`` positional arguments of a call were ``passed``."""
    if passed > count:
        names = ", ".join(f"{name}=" for name in by_name)
        advice = f"; pass by name: {names}" if names else ""
        takes = f"{call}() takes {count} positional argument{'s' * (count != 1)}"
        raise TypeError(f"{takes}, not {passed}{advice}")


def checks_arguments(kind: type[T]) -> type[T]:
    """Decorate a class: it and its public methods call :func:`check_arguments`, except with ``**options``."""
    if "__init__" in vars(kind):
        _check_constructor(kind)
    for name, method in list(vars(kind).items()):
        if name.startswith("_") or not isinstance(method, FunctionType):
            continue
        if not method.__code__.co_flags & _HAS_OPTIONS:
            setattr(kind, name, _checked(method))
    return kind


def _names(function: Any) -> frozenset[str]:
    code = function.__code__
    return frozenset(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])


def _by_name(function: Any) -> tuple[str, ...]:
    code = function.__code__
    names: tuple[str, ...] = code.co_varnames[code.co_argcount :][: code.co_kwonlyargcount]
    return names


def _check_constructor(kind: Any) -> None:
    # In __new__, because a frame around __init__ would show credentials in tracebacks with local variables.
    known, by_name, init = _names(kind.__init__), _by_name(kind.__init__), kind.__init__
    count = init.__code__.co_argcount - 1

    @functools.wraps(init)
    def new(cls: Any, *args: Any, **options: Any) -> Any:
        passed, names = len(args), () if known.issuperset(options) else tuple(options)
        del args, options
        if cls.__init__ is init:
            refuse_positional(cls.__name__, passed, count, by_name)
            check_arguments(cls.__name__, names, known)
        return object.__new__(cls)

    kind.__new__ = new


def _checked(method: FunctionType) -> Callable[..., Any]:
    known = _names(method)
    code = method.__code__
    count = sys.maxsize if code.co_flags & _HAS_ARGUMENTS else code.co_argcount
    by_name = _by_name(method)

    @functools.wraps(method)
    def checked(*args: Any, **options: Any) -> Any:
        if args[count:] or not known.issuperset(options):
            # The name is that of the object's class, also if a base class has the method.
            call = f"{type(args[0]).__name__}.{method.__name__}"
            refuse_positional(call, len(args) - 1, count - 1, by_name)
            check_arguments(call, options, known)
        return method(*args, **options)

    return checked
