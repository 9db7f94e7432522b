"""Wrappers around a transport that offer what the inner transport offers."""

from __future__ import annotations

import functools
from typing import Any, Callable, TypeVar, cast

from buntime._http import SupportsDate, SupportsOrder, SupportsTime, SupportsTimers, Transport

T = TypeVar("T")

_PROTOCOLS: dict[type, tuple[str, ...]] = {
    SupportsTime: ("sleep", "monotonic"),
    SupportsDate: ("time",),
    SupportsTimers: ("every",),
    SupportsOrder: ("sequential",),
}
"""The optional protocols of a transport, each with its methods."""


def forwarding(cls: type[T], inner: Transport) -> type[T]:
    """Return a class like ``cls`` that passes the optional protocols of ``inner`` on to ``self._inner``.

    A member that ``cls`` has itself stays. ``isinstance`` looks for members of the class, so each combination
    has its own class, with only those members that ``inner`` has. Raises ``TypeError`` if ``inner`` is not a
    transport.
    """
    _check(inner)
    names = [name for protocol, names in _PROTOCOLS.items() if isinstance(inner, protocol) for name in names]
    missing = tuple(name for name in names if not hasattr(cls, name))
    subclass: Callable[..., Any] = _subclass
    return cast("type[T]", subclass(cls, missing)) if missing else cls


def _check(inner: object) -> None:
    if isinstance(inner, type) or not isinstance(inner, Transport):
        kind = f"the class {inner.__name__}" if isinstance(inner, type) else type(inner).__name__
        raise TypeError(f"inner must be a transport, such as HTTPTransport(), not {kind}")


@functools.cache
def _subclass(cls: Any, names: tuple[str, ...]) -> Any:
    members: dict[str, Any] = {
        name: _attribute(name) if name == "sequential" else _method(name) for name in names
    }
    members.update(__module__=cls.__module__, __qualname__=cls.__qualname__, __doc__=cls.__doc__)
    return type(cls.__name__, (cls,), members)


def _method(name: str) -> Callable[..., Any]:
    def forward(self: Any, *arguments: Any) -> Any:
        return getattr(self._inner, name)(*arguments)

    forward.__name__ = name
    return forward


def _attribute(name: str) -> property:
    return property(lambda self: getattr(self._inner, name))
