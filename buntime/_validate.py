"""Checks of arguments that hold on every plan, made before anything is sent.

Each function returns its argument, or raises ``TypeError`` or ``ValueError`` with the argument's name.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Optional, TypeVar, Union

T = TypeVar("T")

_TTL_MINIMUM = 300
_LONGEST_TIMEOUT = 3600


def text(name: str, value: object) -> str:
    """A string that UTF-8 can encode."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {type(value).__name__}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{name} has a lone surrogate at index {error.start}, which UTF-8 cannot encode"
        ) from None
    return value


def optional_text(name: str, value: object) -> Optional[str]:
    """As :func:`text`, or ``None``."""
    return None if value is None else text(name, value)


def argument(name: str, value: object) -> str:
    """As :func:`text`, for an argument of a system call."""
    return _without_nul(name, text(name, value))


def path(name: str, value: object) -> str:
    """A path of a file or folder in a session."""
    if not text(name, value):
        raise ValueError(f"{name} is empty")
    return _without_nul(name, value)


def _without_nul(name: str, value: Any) -> str:
    if "\0" in value:
        raise ValueError(f"{name} contains a NUL character")
    return str(value)


def file(name: str, value: object) -> str:
    """A path that can name a file, not only a folder."""
    checked = path(name, value)
    if checked.endswith("/") and checked.strip("/"):
        raise ValueError(f"{name} is {checked!r}; a path that ends with '/' names a folder, not a file")
    return checked


def folder(name: str, value: object) -> str:
    """A path that can name a folder; an empty one is the workspace."""
    return "" if value == "" else path(name, value)


def local_path(name: str, value: object) -> Path:
    """A path on this machine."""
    if isinstance(value, bytes) or not isinstance(value, (str, os.PathLike)):
        raise TypeError(f"{name} must be a str or os.PathLike, not {type(value).__name__}")
    if not os.fspath(value):
        raise ValueError(f"{name} is empty; the current folder is '.'")
    return Path(value)


def flag(name: str, value: object) -> bool:
    """``True`` or ``False``; a string such as "no" is neither."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be a bool, not {type(value).__name__}")
    return value


def function(name: str, value: Any, arguments: str = "") -> Any:
    """Something to call, with these arguments."""
    if not callable(value):
        purpose = f" with {arguments}" if arguments else ""
        raise TypeError(f"{name} must be callable{purpose}, not {type(value).__name__}")
    return value


def optional_callable(name: str, value: Any, arguments: str = "") -> Any:
    """Something to call, with these arguments, or ``None``."""
    return None if value is None else function(name, value, arguments)


def iterator(name: str, values: Iterable[T]) -> Iterator[T]:
    """An iterable, of which this returns an iterator."""
    try:
        return iter(values)
    except TypeError:
        if hasattr(type(values), "__iter__"):
            raise  # its own error
        raise TypeError(f"{name} must be iterable, not {type(values).__name__}") from None


def session_id(value: object) -> str:
    """A session's id that can be a part of a URL's path; its length is not documented and not checked."""
    checked = text("session_id", value)
    if not checked.strip() or checked in {".", ".."} or "/" in checked or not checked.isprintable():
        raise ValueError(f"session_id is {checked!r}, which cannot be the id of a session")
    return checked


def is_number(value: object, *, integer: bool = False) -> bool:
    """Whether ``value`` is an int, or without ``integer`` a float. A bool is neither here."""
    return isinstance(value, int if integer else (int, float)) and not isinstance(value, bool)


def number(name: str, value: object, expected: str = "a number", *, integer: bool = False) -> Any:
    """A number, described as ``expected`` in the error for anything else."""
    if not is_number(value, integer=integer):
        raise TypeError(f"{name} must be {expected}, not {type(value).__name__}")
    return value


def whole_seconds(name: str, value: object, *, minimum: int = 1) -> Optional[int]:
    """A whole number of seconds of at least ``minimum``, as an int; or ``None``."""
    if value is None:
        return None
    seconds = number(name, value, "an int (whole seconds)")
    if seconds != seconds or seconds in {float("inf"), float("-inf")} or seconds != int(seconds):
        raise ValueError(f"{name} must be whole seconds, not {seconds}")
    if seconds < minimum:
        raise ValueError(
            f"{name} must be at least {minimum} second{'s' if minimum > 1 else ''}, not {seconds}"
        )
    return int(seconds)


def ttl(value: object) -> Optional[int]:
    """Whole seconds of at least 300, the API's minimum on every plan; or ``None``."""
    return whole_seconds("ttl", value, minimum=_TTL_MINIMUM)


def amount(name: str, value: object, *, integer: bool = True) -> None:
    """A finite number above 0, or ``None``."""
    if value is None:
        return
    if not 0 < number(name, value, "an int" if integer else "a number", integer=integer) < float("inf"):
        raise ValueError(f"{name} must be above 0 and finite, not {value}")


def count(name: str, value: object, *, minimum: int = 1) -> int:
    """An int of at least ``minimum``."""
    checked: int = number(name, value, "an int", integer=True)
    if checked < minimum:
        raise ValueError(f"{name} must be at least {minimum}, not {checked}")
    return checked


def max_output(name: str, value: object) -> Optional[int]:
    """A number of bytes of at least 1, or ``None``."""
    return None if value is None else count(name, value)


def port(value: object) -> int:
    """A TCP port."""
    checked: int = number("port", value, "an int", integer=True)
    if not 0 < checked < 65536:
        raise ValueError(f"port must be from 1 to 65535, not {checked}")
    return checked


def seconds(name: str, value: object, *, zero: bool = True) -> Optional[float]:
    """A finite number of seconds, above 0 unless ``zero``; or ``None``."""
    if value is None:
        return None
    checked = number(name, value, "a number of seconds")
    if not (0 <= checked if zero else 0 < checked) or checked > sys.float_info.max:
        raise ValueError(f"{name} must be {'at least' if zero else 'above'} 0 and finite, not {checked}")
    return float(checked)


def timeout(name: str, value: object) -> Optional[float]:
    """A number of seconds above 0, at most an hour; or ``None``."""
    checked = seconds(name, value, zero=False)
    return checked if checked is None else not_milliseconds(name, checked)


def not_milliseconds(name: str, value: Any) -> Any:
    """A number of seconds that is at most an hour: a larger one is a number of milliseconds by mistake."""
    if value > _LONGEST_TIMEOUT:
        value = min(value, sys.float_info.max)  # the message formats a float, and an int can be larger
        raise ValueError(
            f"{name} is {value:g} seconds, above the maximum of an hour ({_LONGEST_TIMEOUT} seconds); "
            f"if you mean {value:g} milliseconds, pass {name}={value / 1000:g}"
        )
    return value


def files(value: Union[Mapping[str, str], Iterable[Any], None]) -> tuple[tuple[str, str], ...]:
    """Files in any accepted form, as pairs of path and content."""
    if value is None or (isinstance(value, tuple) and not value):
        return ()
    if isinstance(value, (str, bytes)):
        raise TypeError(f"files must be a mapping of path to content, not {type(value).__name__}")
    pairs = value.items() if isinstance(value, Mapping) else [_pair(item) for item in value]
    return tuple(
        (file("files: path", name), text(f"files: content of {name!r}", body)) for name, body in pairs
    )


def _pair(item: Any) -> tuple[Any, Any]:
    if isinstance(item, Mapping):
        if set(item) != {"path", "content"}:
            raise ValueError(f"files: an item has the keys {sorted(map(str, item))}, not path and content")
        return item["path"], item["content"]
    if isinstance(item, tuple) and len(item) == 2:
        return item
    raise TypeError(f"files: an item must be a mapping with path and content, not {type(item).__name__}")


def stdin(value: Any) -> Any:
    """Text, bytes, or an open file; or ``None``."""
    if value is None:
        return None
    if isinstance(value, str):
        return text("stdin", value)
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    if not isinstance(value, bytes) and not callable(getattr(value, "read", None)):
        raise TypeError(f"stdin must be a str, bytes or an open file, not {type(value).__name__}")
    return value


def env(value: Optional[Mapping[str, str]]) -> Optional[dict[str, str]]:
    """Environment variables, as a new dict; or ``None``."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise TypeError(f"env must be a mapping of str to str, not {type(value).__name__}")
    for name, content in value.items():
        if not isinstance(name, str):
            raise TypeError(f"the names in env must be str, not {type(name).__name__}")
        if not name or "=" in name or "\0" in name:
            raise ValueError(f"env has the name {name!r}; a name must not be empty or contain '=' or NUL")
        text("env: a name", name)
        _without_nul(f"env[{name!r}]", text(f"env[{name!r}]", content))
    return dict(value)
