"""A recorded function call was one line of JSON with its quotes escaped four times."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from buntime import Buntime
from buntime.cassette.file import load
from buntime.cassette.show import listing
from buntime.transport import FakeTransport
from tests.support.cassettes import record, replay

SOURCE = """(row, options) => {
  console.log("adding", row.name);
  const total = row.values.reduce((a, b) => a + b, 0);
  if (total > options.limit) {
    throw new RangeError(`${total} is more than "${options.limit}"`);
  }
  return { total };
}"""
CHANGED = SOURCE.replace("a + b, 0", "a + b, 1")


def _fake() -> FakeTransport:
    transport = FakeTransport()
    transport.on_call(lambda _: True, returns={"total": 6, "name": "é"})
    return transport


def _program(source: str) -> Any:
    def run(client: Buntime) -> Any:
        with client.sessions.create() as session:
            return session.call(source, {"name": "é", "values": [1, 2, 3]}, {"limit": 7})

    return run


def _lines(path: Path, source: str) -> list[str]:
    record(path, _program(source), _fake())
    return path.read_text(encoding="utf-8").splitlines()


def test_a_call_of_some_lines_has_as_many_lines_in_the_file(tmp_path: Path) -> None:
    """Each line stands there as in the program; arguments and value are JSON."""
    lines = _lines(tmp_path / "x.json", SOURCE)
    start = next(number for number, line in enumerate(lines) if "(row, options)" in line)
    recorded = lines[start : start + len(SOURCE.splitlines())]
    assert len(SOURCE.splitlines()) == len(recorded)
    assert '"  const total = row.values.reduce((a, b) => a + b, 0);",' == recorded[2].strip()
    assert recorded[-1].strip() == '"}"'
    assert not any("\\\\" in line for line in lines)
    request, response = (
        load(tmp_path / "x.json").interactions[1].data[part]["json"] for part in ("request", "response")
    )
    assert {
        "op": "call",
        "source": SOURCE,
        "arguments": [{"name": "é", "values": [1, 2, 3]}, {"limit": 7}],
    } == request["helper"]
    assert "code" not in request
    assert {"total": 6, "name": "é"} == response["value"]
    assert {"total": 6, "name": "é"} == replay(tmp_path / "x.json", _program(SOURCE))


def test_a_changed_line_is_one_line_of_the_diff(tmp_path: Path) -> None:
    """All others stay as they are."""
    diff = [
        line
        for line in difflib.ndiff(_lines(tmp_path / "a.json", SOURCE), _lines(tmp_path / "b.json", CHANGED))
        if line[:1] in "+-"
    ]
    assert ["-", "+"] == [line[0] for line in diff if "reduce" in line]
    times = ("createdAt", "expiresAt")
    assert [line for line in diff if "reduce" not in line and not any(name in line for name in times)] == []


def test_show_prints_the_lines(tmp_path: Path) -> None:
    """As a mismatch does."""
    _lines(tmp_path / "x.json", SOURCE)
    lines = list(listing(load(tmp_path / "x.json"), "x.json"))
    start = lines.index("   > helper.source:")
    assert [f"   >     {line}" for line in SOURCE.splitlines()] == lines[start + 1 : start + 9]
