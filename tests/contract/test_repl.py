"""Evaluations that keep their state."""

from __future__ import annotations

import pytest

from buntime import JavaScriptError, Session
from tests.contract.evaluations import EVALUATIONS, FAILS, LARGE, PRINTS
from tests.contract.transports import FOR_HELPERS

RUNS_ON = FOR_HELPERS


def test_state_stays(session: Session) -> None:
    """Declarations and imports stay, can be repeated, and survive an error; values are as in calls."""
    printed: list[str] = []
    with session.repl() as repl:
        assert [value for _, value in EVALUATIONS] == [repl.eval(source) for source, _ in EVALUATIONS]
        with pytest.raises(JavaScriptError) as caught:
            repl.eval(FAILS)
        assert ("RangeError", "total is 7") == (caught.value.name, caught.value.message)
        assert 300_000 == repl.eval(PRINTS, on_stdout=printed.append, on_stderr=printed.append)
        assert ["err\n", "out\n"] == sorted(printed)
        large = "é" * 400_000
        assert large + large == repl.call(LARGE, large)
        assert 400_000 == repl.eval("kept.length")
        process = repl.process
    assert process is not None
    assert not process.running()
