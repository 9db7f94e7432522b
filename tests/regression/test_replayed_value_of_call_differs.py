"""Replay returned placeholders for values of a call whose fields are named like secrets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from buntime import Buntime
from buntime.transport import FakeTransport, RecordingTransport, ReplayTransport, Transport

VALUE: dict[str, Any] = {
    "usage": {"total_tokens": 12, "max_tokens": 4096},
    "items": [{"token": "the"}, {"token": "word"}],
    "nextPageToken": "page-2-of-7",
    "cookies": ["a=b"],
    "password": "returned",
}


def call(transport: Transport, *arguments: object) -> Any:
    """Return the value of a call."""
    with Buntime("btk_123", transport=transport) as client, client.sessions.create() as session:
        return session.call("(...all) => all", *arguments)


def test_value_of_a_call_is_a_text_like_any_other(tmp_path: Path) -> None:
    """No field of it names a secret; an argument of the call that is one is hidden there, too."""
    fake = FakeTransport()
    fake.on_call(lambda _: True, returns={**VALUE, "secret": "sent by the program"})
    path = tmp_path / "cassette.json"
    recorded = call(RecordingTransport(path, fake), {"secret": "sent by the program"})

    assert {**VALUE, "secret": "sent by the program"} == recorded
    assert recorded == call(ReplayTransport(path), {"secret": "sent by the program"})
    assert "another one" == call(ReplayTransport(path), {"secret": "another one"})["secret"]
    text = path.read_text()
    assert 2 == text.count("«value:secret»")
    assert 2 == text.count("«")
