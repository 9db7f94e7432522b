"""The bounds that hold on every plan, checked before anything is sent."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Optional, Union

from buntime._http import Secret

_TTL_MINIMUM = 300


def text(name: str, value: object) -> str:
    """Return ``value`` if it is a string that UTF-8 can carry."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {type(value).__name__}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{name} holds a lone surrogate at index {error.start}, which UTF-8 cannot carry"
        ) from None
    return value


def optional_text(name: str, value: object) -> Optional[str]:
    """As :func:`text`, or ``None``."""
    return None if value is None else text(name, value)


def optional_argument(name: str, value: object) -> Optional[str]:
    """As :func:`optional_text`, for what a system call is given."""
    checked = optional_text(name, value)
    if checked is not None and "\0" in checked:
        raise ValueError(f"{name} holds a NUL character")
    return checked


def path(name: str, value: object) -> str:
    """Return ``value`` if it can name a file."""
    checked = text(name, value)
    if not checked:
        raise ValueError(f"{name} is empty")
    if "\0" in checked:
        raise ValueError(f"{name} holds a NUL character")
    return checked


def file(name: str, value: object) -> str:
    """Return ``value`` if it can name a file, and not only a folder."""
    checked = path(name, value)
    if checked.endswith("/") and checked.strip("/"):
        raise ValueError(f"{name} is {checked!r}, which names a folder, as it ends with '/'")
    return checked


def folder(name: str, value: object) -> str:
    """Return ``value`` if it can name a folder; an empty one is the workspace."""
    return "" if value == "" else path(name, value)


def local_path(name: str, value: object) -> Path:
    """Return ``value`` as the path of something on this machine."""
    if isinstance(value, bytes) or not isinstance(value, (str, os.PathLike)):
        raise TypeError(f"{name} must be a str or os.PathLike, not {type(value).__name__}")
    if not os.fspath(value):
        raise ValueError(f"{name} is empty; the current folder is '.'")
    return Path(value)


def flag(name: str, value: object) -> bool:
    """Return ``value`` if it is true or false; a word such as "no" is neither."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be a bool, not {type(value).__name__}")
    return value


def optional_callable(name: str, value: object) -> None:
    """Check that ``value`` can be called, or is ``None``."""
    if value is not None and not callable(value):
        raise TypeError(f"{name} must be callable, not {type(value).__name__}")


def session_id(value: object) -> str:
    """Return ``value`` if it can be a session's id; no length is checked, as none is documented."""
    checked = text("session_id", value)
    if not checked.strip() or checked in {".", ".."}:
        raise ValueError(f"session_id is {checked!r}, which cannot be a session's id")
    return checked


def whole_seconds(name: str, value: object, *, minimum: int = 1) -> Optional[int]:
    """Return ``value`` as an int of at least ``minimum``, or ``None``."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be an int (whole seconds), not {type(value).__name__}")
    if value != value or value in {float("inf"), float("-inf")} or value != int(value):
        raise ValueError(f"{name} must be whole seconds, not {value}")
    if value < minimum:
        raise ValueError(f"{name} must be at least {minimum} second{'s' if minimum > 1 else ''}, not {value}")
    return int(value)


def ttl(value: object) -> Optional[int]:
    """Return ``value`` as whole seconds of at least 300, the API's minimum on every plan."""
    return whole_seconds("ttl", value, minimum=_TTL_MINIMUM)


def amount(name: str, value: object, *, whole: bool = True) -> None:
    """Check that ``value`` is a number above 0, or ``None``."""
    if value is None:
        return
    kinds = (int,) if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds):
        raise TypeError(f"{name} must be {'an int' if whole else 'a number'}, not {type(value).__name__}")
    if not 0 < value < float("inf"):
        raise ValueError(f"{name} must be above 0 and finite, not {value}")


def count(name: str, value: object) -> int:
    """Return ``value`` if it is a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int, not {type(value).__name__}")
    if value < 1:
        raise ValueError(f"{name} must be at least 1, not {value}")
    return value


def pid(value: object) -> int:
    """Return ``value`` if it can be a process id."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"pid must be an int, not {type(value).__name__}")
    if value < 1:
        raise ValueError(f"pid must be at least 1, not {value}")
    return value


def port(value: object) -> int:
    """Return ``value`` if it can be a TCP port."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"port must be an int, not {type(value).__name__}")
    if not 0 < value < 65536:
        raise ValueError(f"port must be from 1 to 65535, not {value}")
    return value


def patience(name: str, value: object) -> Optional[float]:
    """Return ``value`` if it is a number of seconds to wait, 0 included, or ``None``."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number of seconds, not {type(value).__name__}")
    if not 0 <= value < float("inf"):
        raise ValueError(f"{name} must be 0 or more and finite, not {value}")
    return float(value)


def files(value: Union[Mapping[str, str], Iterable[Any], None]) -> tuple[tuple[str, str], ...]:
    """Return files in any accepted form as pairs of path and content."""
    if value is None:
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
    raise TypeError(f"files: an item is a {type(item).__name__}, not a mapping with path and content")


def env(value: Optional[Mapping[str, str]]) -> Optional[dict[str, str]]:
    """Return the environment as a dict of its own."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise TypeError(f"env must be a mapping of str to str, not {type(value).__name__}")
    for name, content in value.items():
        if not isinstance(name, str):
            raise TypeError(f"env has a name that is a {type(name).__name__}, not a str")
        if not name or "=" in name or "\0" in name:
            raise ValueError(f"env has the name {name!r}; a name is not empty and holds no '=' and no NUL")
        text("env: a name", name)
        if "\0" in text(f"env[{name!r}]", content):
            raise ValueError(f"env[{name!r}] holds a NUL character")
    return dict(value)


def header_pairs(headers: Optional[Mapping[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return headers as pairs whose values no ``repr`` shows; ``ValueError`` for what HTTP cannot carry."""
    if headers is not None and not isinstance(headers, Mapping):
        raise TypeError(f"headers must be a mapping of str to str, not {type(headers).__name__}")
    pairs = []
    for name, value in (headers or {}).items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(f"headers must map str to str; {name!r} does not")
        if not name or not name.isascii() or any(c.isspace() or c in '()<>@,;:\\"/[]?={}' for c in name):
            raise ValueError(f"headers has the name {name!r}, which HTTP does not allow")
        if any(c in "\r\n\0" for c in value) or not _latin1(value):
            raise ValueError(f"the header {name} has a value that HTTP cannot carry")
        pairs.append((name, Secret(value)))
    return tuple(pairs)


def _latin1(value: str) -> bool:
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True
