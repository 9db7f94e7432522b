"""The output of an execution by offset, and the part of it that is stored."""

from __future__ import annotations

from collections.abc import Iterator
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buntime.service.devboxes import history
from buntime.service.devboxes.history import OutputLog


@pytest.fixture
def small() -> Iterator[None]:
    """Store 2 × 64 bytes and read 16 at once."""
    with mock.patch.object(history, "_HALF", 64), mock.patch.object(history, "_PIECE", 16):
        yield


def read_all(log: OutputLog, offset: int = 0) -> str:
    """Read from an offset to the end, and check that the offsets connect."""
    text = ""
    while True:
        start, piece, end = log.read(offset)
        assert offset == start
        if not piece:
            assert max(log.size, offset) == end
            return text
        assert end > offset
        text, offset = text + piece, end


@given(st.lists(st.text(max_size=20), max_size=8), st.integers(0, 5))
def test_small_output_is_complete(pieces: list[str], count: int) -> None:
    """From the start, and by its last lines."""
    log = OutputLog()
    for piece in pieces:
        log.add(piece)
    complete = "".join(pieces).encode("utf-8", "replace").decode()
    assert complete == read_all(log)
    assert "" == read_all(log, log.size + 5)
    lines = complete.split("\n")
    last = lines.pop() if not complete.endswith("\n") else lines.pop() or None
    rows = [f"{line}\n" for line in lines] + ([last] if last else [])
    expected = ("".join(rows[max(0, len(rows) - count) :]) if count else "", count < len(rows))
    assert expected == log.last_lines(count)


def test_large_output_keeps_its_ends(small: None) -> None:
    """A line stands for the part between, and a reader that keeps up gets everything."""
    log = OutputLog()
    live, offset = "", 0
    for number in range(1000):
        log.add(f"é{number}\n")
        while (step := log.read(offset))[1]:
            live, offset = live + step[1], step[2]
    complete = "".join(f"é{number}\n" for number in range(1000))
    assert complete == live
    assert log.stored <= 64 * 3 + 8
    text = read_all(log)
    assert text.startswith("é0\né1\n")
    assert text.endswith("é998\né999\n")
    assert "bytes of output left out" in text
    assert ("é999\n", True) == log.last_lines(1)


def test_a_reader_in_the_gap_gets_the_rest(small: None) -> None:
    """It gets the line, and then what is stored."""
    log = OutputLog()
    for number in range(1000):
        log.add(f"{number}\n")
    text = read_all(log, 100)
    assert text.startswith("\n[... ")
    assert text.endswith("999\n")
