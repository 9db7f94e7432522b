"""A test that was run again with a secret that is new in each run found no recording."""

from __future__ import annotations

from pathlib import Path

import pytest

from buntime import Buntime, CassetteMismatchError
from buntime.transport import FakeTransport, RecordingTransport, ReplayTransport, Transport


def run(transport: Transport, token: str) -> str:
    """Pass a token to a program that prints it."""
    client = Buntime("btk_123", transport=transport)
    with client.sessions.create() as session:
        return session.execute("console.log(process.env.API_TOKEN)", env={"API_TOKEN": token}).stdout


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of a recording of it."""
    fake = FakeTransport()
    fake.on_execute(lambda _: True, stdout="the first token of all\n")
    recording = RecordingTransport(tmp_path / "cassette.json", fake)
    for _ in range(2):
        run(recording, "the first token of all")
    recording.close()
    return tmp_path / "cassette.json"


def test_rewound_replay_forgets_the_secrets_of_the_attempt(path: Path) -> None:
    """Each attempt from the same mark can have another secret, and gets it back in the output."""
    transport = ReplayTransport(path)
    mark = transport.mark()
    for token in ("the second token", "the third token", "the second token"):
        transport.rewind(mark)
        assert f"{token}\n" == run(transport, token)


def test_rewound_replay_remembers_the_secrets_before_the_mark(path: Path) -> None:
    """After the mark, a secret that was bound before it has the value that it had there."""
    transport = ReplayTransport(path)
    run(transport, "the second token")
    mark = transport.mark()
    with pytest.raises(CassetteMismatchError, match="«env:API_TOKEN»"):
        run(transport, "the third token")
    transport.rewind(mark)
    for _ in range(2):
        assert "the second token\n" == run(transport, "the second token")
        transport.rewind(mark)
