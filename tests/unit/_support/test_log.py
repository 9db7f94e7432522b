"""The library's logger."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from buntime._support.log import debug_logger, logger, print_logs


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Restore the level and the handlers of the logger."""
    log = logger()
    level, handlers = log.level, log.handlers[:]
    yield
    log.setLevel(level)
    log.handlers[:] = handlers


def test_the_level_may_change_and_no_line_is_printed_twice(capsys: pytest.CaptureFixture[str]) -> None:
    """Each client configures the log, but there is one handler."""
    print_logs("debug")
    assert debug_logger() is logger()
    print_logs("info")
    assert debug_logger() is None
    logger().info("waiting")
    assert 1 == capsys.readouterr().err.count("buntime INFO waiting")


def test_without_a_setting_the_level_is_that_of_the_program() -> None:
    """Only a program that enables DEBUG pays for its messages."""
    logger().setLevel(logging.DEBUG)
    assert debug_logger() is logger()
    logger().setLevel(logging.WARNING)
    assert debug_logger() is None
