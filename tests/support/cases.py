"""Many small cases in one test: pytest needs more time for a test than such a case takes."""

from __future__ import annotations

import functools
import inspect
import traceback
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Union

import pytest

_Test = Callable[..., None]
_Ids = Union[Iterable[object], Callable[[Any], object], None]


def in_one_test(
    names: str | tuple[str, ...], values: Iterable[Any], ids: _Ids = None, *, at_once: bool = False
) -> Callable[[_Test], _Test]:
    """Run a test with each of the values, like ``parametrize`` but in one test, and report all failures.

    The cases share the fixtures of the test, so it should have none that a case changes. Cases that wait
    may run ``at_once``, each in a thread of its own.
    """
    keys = [name.strip() for name in names.split(",")] if isinstance(names, str) else [*names]
    values = [*values]
    rows = [(value,) if len(keys) == 1 and isinstance(names, str) else (*value,) for value in values]
    labels = [*map(ids, values)] if callable(ids) else [*(rows if ids is None else ids)]
    assert rows, "without cases the test cannot fail"

    def decorate(test: _Test) -> _Test:
        parameters = inspect.signature(test).parameters
        assert parameters.keys() >= {*keys}, f"{test.__name__} has no parameters {names}"

        @functools.wraps(test)
        def run(*self: Any, **fixtures: Any) -> None:
            def failure(row: tuple[Any, ...], label: object) -> str:
                try:
                    test(*self, **fixtures, **dict(zip(keys, row)))
                except (Exception, pytest.fail.Exception):
                    return f"{names}: {label}\n{traceback.format_exc()}"
                return ""

            if at_once:
                with ThreadPoolExecutor(len(rows)) as executor:
                    results = [*executor.map(failure, rows, labels)]
            else:
                results = [*map(failure, rows, labels)]
            failures = [result for result in results if result]
            if failures:
                pytest.fail(f"{len(failures)} of {len(rows)} cases\n" + "\n".join(failures), pytrace=False)

        others = [value for name, value in parameters.items() if name not in keys]
        run.__signature__ = inspect.Signature(others)  # type: ignore[attr-defined]  # pytest reads it
        return run

    return decorate
