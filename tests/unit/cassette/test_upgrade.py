"""Cassettes of format 1 are replayed, and rewritten on request."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from buntime import Buntime, JavaScriptError
from buntime.cassette.file import load, save
from tests.support.cassettes import replay

RECORDED = Path(__file__).with_name("format_1.json")
PASSWORD = 'p"ss wörd\\x'
TOKEN = 'tok/en"1234'


def _program(client: Buntime) -> list[Any]:
    results: list[Any] = []
    with client.sessions.create() as session:
        source = """
            (row, options) => {
              console.log("printed", row.name);
              const total = row.values.reduce((a, b) => a + b, 0);
              return { total, when: new Date(0), secret: options.password, big: 10n ** 20n };
            }
        """
        row = {"name": 'é "quoted"', "values": [1, 2, 3]}
        results.append(session.call(source, row, {"password": PASSWORD}))
        with pytest.raises(JavaScriptError) as caught:
            session.call("() => { throw new TypeError('bad') }")
        results.append(caught.value.stack)
        session.files.write("b.bin", b"\xff\x00" + PASSWORD.encode())
        results.append(session.files.read_bytes("b.bin"))
        session.files.write("a.txt", "hello\nworld\n")
        results.append(session.files.stat("a.txt").size)
        results.append(session.call("(x) => x.length", "x" * 17000))
        results.append(sorted(entry.path for entry in session.files.list("", recursive=True)))
        results.append(session.execute("console.log(process.env.MY_TOKEN)", env={"MY_TOKEN": TOKEN}).stdout)
        results.append(session.call("(t) => t + '!'", TOKEN))
        results.append(session.start(command="echo hi; sleep 0.2; echo ho >&2").wait())
    return results


EXPECTED = [
    {"total": 6, "when": datetime(1970, 1, 1, tzinfo=timezone.utc), "secret": PASSWORD, "big": 10**20},
    "TypeError: bad\n    at <anonymous> (function:1:19)",
    b"\xff\x00" + PASSWORD.encode(),
    12,
    17000,
    ["a.txt", "b.bin"],
    f"{TOKEN}\n",
    f"{TOKEN}!",
    0,
]


def test_format_1_is_replayed() -> None:
    """Every kind of helper, with secrets in arguments, files and values."""
    assert EXPECTED == replay(RECORDED, _program)


def test_an_upgraded_cassette_is_replayed(tmp_path: Path) -> None:
    """It keeps its date, and no program is left in it; a second upgrade changes nothing."""
    path = tmp_path / "x.json"
    path.write_bytes(RECORDED.read_bytes())
    save(path, load(path))
    assert EXPECTED == replay(path, _program)
    text = path.read_text(encoding="utf-8")
    assert "buntime:helper" not in text
    assert "buntime:call" not in text
    assert 2 == json.loads(text)["buntime_cassette"] == load(path).version
    assert load(RECORDED).changed == load(path).changed
    assert load(RECORDED).interactions == load(path).interactions
    save(path, load(path))
    assert text == path.read_text(encoding="utf-8")
