"""The results of items, and showing the progress of a run."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sized
from contextlib import closing
from typing import Any, Callable, Generic, Optional, TypeVar, cast

import attrs

from buntime import _validate
from buntime._support.export import export

Item = TypeVar("Item")
Value = TypeVar("Value")
Progress = Callable[..., Iterable[Any]]


@attrs.frozen
class Outcome(Generic[Item, Value]):
    """The result of one item: ``value`` is what the function returned, ``error`` the exception it raised."""

    item: Item
    value: Optional[Value] = None
    error: Optional[Exception] = None

    @property
    def ok(self) -> bool:
        """Whether there is no error."""
        return self.error is None

    def _row_(self) -> dict[str, Any]:
        error = self.error and f"{type(self.error).__name__}: {self.error}"
        return {"item": self.item, "value": self.value if self.ok else "", "error": error}

    def _repr_html_(self) -> Optional[str]:
        from buntime._support import html

        return html.values([self])

    def result(self) -> Value:
        """Return the value, or raise the error."""
        if self.error is None:
            return cast(Value, self.value)
        try:
            raise self.error
        finally:
            # The traceback of the error has this frame, which must not have the error.
            del self


def attempt(item: Item, function: Callable[..., Value], *args: Any) -> Outcome[Item, Value]:
    """Return the outcome of ``function(*args)`` for an item."""
    try:
        return Outcome(item, function(*args))
    except Exception as error:
        return Outcome(item, error=error)


def with_progress(
    outcomes: Generator[Outcome[Item, Value], None, None], items: object, progress: Optional[Progress]
) -> Generator[Outcome[Item, Value], None, None]:
    """Return the outcomes as ``progress(outcomes, total=)`` iterates over them."""
    if progress is None:
        return outcomes
    _validate.function("progress", progress, "an iterable and total=")
    total = len(items) if isinstance(items, Sized) else None

    def iterate() -> Generator[Outcome[Item, Value], None, None]:
        with closing(outcomes):
            yield from progress(outcomes, total=total)

    return iterate()


export("buntime", Outcome)
