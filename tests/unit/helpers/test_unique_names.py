"""Unique names of files for concurrent calls."""

from __future__ import annotations

from buntime.helpers import unique_names
from buntime.helpers.unique_names import reserve_unique_name
from tests.support.forks import hold_locks, needs_fork, run_in_fork


def _name(session_id: str = "ses_1") -> str:
    with reserve_unique_name(session_id, "a") as name:
        return name


def test_concurrent_names_are_unique() -> None:
    """The lowest free number is used, and none without concurrent calls."""
    with reserve_unique_name("ses_1", "a") as first, reserve_unique_name("ses_1", "a") as second:
        assert ("a", "a~1", "a~2") == (first, second, _name())
        assert "a" == _name("ses_2")
    assert ("a", "a") == (_name(), _name())


def test_a_number_is_free_again_after_a_failure() -> None:
    """It is free after any error of the block, and no state remains."""
    try:
        with reserve_unique_name("ses_1", "a"):
            raise ZeroDivisionError
    except ZeroDivisionError:
        assert "a" == _name()
    assert {} == unique_names._reserved


@needs_fork
def test_a_forked_child_does_not_wait() -> None:
    """It does not wait for a thread that was reserving a number."""
    with hold_locks(unique_names._lock):
        assert "a" == run_in_fork(_name)
