"""A secret equal to a word in an earlier placeholder changed the placeholder, and replay returned that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from buntime import Buntime
from buntime.cassette.file import load
from buntime.transport import FakeTransport
from tests.support.cassettes import record, replay

WORDS = ["password", "test", "value", "env:", "test_token", "«env:test_token»", "api_key", "json", "first.4"]


def _fake() -> FakeTransport:
    fake = FakeTransport()
    fake.on_execute(lambda _: True, handler=lambda run: run.env.get("test_token", "no token"))
    return fake


@pytest.mark.parametrize("word", WORDS)
def test_later_secret_leaves_placeholders_as_they_are(tmp_path: Path, word: str) -> None:
    """Replay returns the same values, whatever the program uses as a secret later."""
    path = tmp_path / "x.json"

    def program(client: Buntime) -> tuple[Any, str]:
        with client.sessions.create(metadata={"password": "hunter2hunter2"}) as session:
            metadata = session.info().metadata
            output = session.execute("1", env={"test_token": "abcdef123456"}).stdout
            session.execute("1", env={"ADMIN_SECRET": word})
            session.execute("1", env={"API_KEY": "test"})
            return metadata, output

    expected = ({"password": "hunter2hunter2"}, "abcdef123456")
    assert expected == record(path, program, _fake())
    assert expected == replay(path, program)
    text = path.read_text(encoding="utf-8")
    assert "hunter2" not in text
    assert "abcdef123456" not in text


def test_all_secrets_are_searched_in_the_original(tmp_path: Path) -> None:
    """A secret that begins with a shorter one is replaced completely, whichever is learned first."""
    path = tmp_path / "x.json"

    def program(client: Buntime) -> None:
        with client.sessions.create() as session:
            session.execute("login('hunter2')", env={"SHORT_TOKEN": "hunter2"})
            session.execute("login('hunter2-of-mine')")
            session.execute("1", env={"LONG_TOKEN": "hunter2-of-mine"})

    record(path, program, _fake())
    replay(path, program)
    codes = [item.request["json"]["code"] for item in load(path).interactions if item.call == "POST /execute"]
    assert ["login('«env:SHORT_TOKEN»')", "login('«env:LONG_TOKEN»')", "1"] == codes
