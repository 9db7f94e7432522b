"""Tests with many cases."""

from __future__ import annotations

import inspect
import threading

import pytest

from tests.support.cases import in_one_test


def test_every_failure_is_reported() -> None:
    """Each value runs, also after a failure, and both parameters are named."""
    values: list[tuple[int, str]] = []

    @in_one_test("number", [1, 2, 3])
    @in_one_test("letter", "ab", str)
    def check(number: int, letter: str) -> None:
        values.append((number, letter))
        assert number == 2
        with pytest.raises(ValueError, match="invalid"):
            int(letter)
        assert letter == "a"

    assert [] == [*inspect.signature(check).parameters]
    with pytest.raises(pytest.fail.Exception) as caught:
        check()
    assert [(number, letter) for number in (1, 2, 3) for letter in "ab"] == values
    for text in ("3 of 3", "number: (1,)", "number: (2,)", "1 of 2", "letter: b", "assert number == 2"):
        assert text in str(caught.value)
    with pytest.raises(AssertionError, match="no parameters other"):
        in_one_test("other", [1])(check)


def test_cases_run_at_once() -> None:
    """Each waits for the other; both failures are reported."""
    barrier = threading.Barrier(2)

    @in_one_test("number", [1, 2], at_once=True)
    def check(number: int) -> None:
        barrier.wait(60)
        assert number == 3

    with pytest.raises(pytest.fail.Exception, match=r"2 of 2 cases\nnumber: \(1,\)"):
        check()
