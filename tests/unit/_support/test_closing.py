"""The time that blocks may take to clean up."""

from __future__ import annotations

from buntime._support.closing import CLEANUP_SECONDS, cleanup_seconds
from tests.support.cases import in_one_test


@in_one_test("error", [None, ValueError(), GeneratorExit(), SystemExit()])
def test_other_exceptions(error: BaseException | None) -> None:
    """Only a Ctrl-C limits the time."""
    assert cleanup_seconds(error) is None


def test_interrupt() -> None:
    """All blocks that it leaves share 10 seconds."""
    error = KeyboardInterrupt()
    first, second = cleanup_seconds(error), cleanup_seconds(error)
    assert first is not None
    assert second is not None
    assert CLEANUP_SECONDS == 10
    assert 0 < second <= first <= CLEANUP_SECONDS


def test_second_interrupt() -> None:
    """One that arrives while another is handled allows no time."""
    error = KeyboardInterrupt()
    error.__context__ = KeyboardInterrupt()
    assert 0 == cleanup_seconds(error)
