"""A mismatch showed no difference if that was in the middle of a long line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Callable

import pytest

from buntime import Buntime, CassetteMismatchError
from tests.support.cases import in_one_test
from tests.support.cassettes import record, replay

ROWS = json.dumps([{"item": number, "price": number + 0.5} for number in range(400)])


def _program(code: str) -> Callable[[Buntime], str]:
    def program(client: Buntime) -> str:
        with client.sessions.create() as session:
            return session.execute(code).stdout

    return program


@in_one_test(
    ("recorded", "sent", "old", "new"),
    [
        (ROWS, ROWS.replace("200.5", "200.7"), "200.5}", "200.7}"),
        (f"a\n{ROWS}\nb\n", f"a\n{ROWS.replace('200.5', '200.7')}\nb\n", "200.5}", "200.7}"),
        (f"{ROWS}1", f"{ROWS}2", "]1", "]2"),
        (f"1{ROWS}", f"2{ROWS}", "1[", "2["),
        (ROWS, f"{ROWS[:5000]}{ROWS[6000:]}", ROWS[5000:5010], ROWS[6000:6010]),
        (ROWS, "short", '[{"item": 0', "short"),
    ],
)
def test_the_difference_in_a_long_line_is_shown(
    recorded: str, sent: str, old: str, new: str, tmp_path: Path
) -> None:
    """The line is cut around its first difference, and has its length."""
    record(tmp_path / "x.json", _program(recorded))
    with pytest.raises(CassetteMismatchError) as caught:
        replay(tmp_path / "x.json", _program(sent))
    lines = str(caught.value).replace('\\"', '"').splitlines()
    (before,) = (line for line in lines if line.startswith("  recorded: "))
    (after,) = (line for line in lines if line.startswith("  sent:     "))
    assert old in before
    assert new in after
    assert before.endswith("characters)")
    assert max(map(len, lines)) < 300
