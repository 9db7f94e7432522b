"""Damaged event streams and cassettes lead to documented errors."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest

from buntime import APIStatusError, BuntimeError, CassetteMismatchError
from tests.faults import mutated

pytestmark = pytest.mark.one_python


@pytest.mark.parametrize("kind", ["events", "cassettes"])
def test_every_damage_is_a_documented_error(kind: str) -> None:
    """A part of the long run of ``python -m tests.faults.mutated``."""
    report = mutated.run(kind, 3_000, seed=3)
    assert [] == report.failures
    assert 3_000 == report.inputs
    assert len(report.outcomes) > 2


@pytest.mark.parametrize("kind", ["events", "cassettes"])
def test_every_original_can_be_read(kind: str) -> None:
    """The corpus has no damage: only errors of the service itself and of the replayed program are raised."""
    for content in mutated.originals(kind):
        with suppress(APIStatusError, CassetteMismatchError):
            mutated.READERS[kind](content, random.Random(1))


def test_a_journal_with_impossible_numbers() -> None:
    """Numbers and nesting that Python cannot read do not escape as other exceptions."""
    head = b'{"buntime_cassette_part": 2, "changed": "2026-01-01"}\n'
    for line in (
        b"[1e999, {}]\n",
        b"[NaN, {}]\n",
        b"[" * 100_000 + b"\n",
        b"[[], {}]\n",
        b"[1]\n",
        b"[1, {}]\n",
        b"[]\n",
    ):
        with pytest.raises(BuntimeError, match="not a cassette"):
            mutated.read_cassette(head + line, random.Random(1))
