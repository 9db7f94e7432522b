"""A test that was recorded again after a failed attempt had a session ``ses_2``, as if there were two."""

from __future__ import annotations

from pathlib import Path

from buntime import Buntime
from buntime.transport import FakeTransport, RecordingTransport


def test_the_ids_of_an_attempt_that_is_repeated_leave_no_gap(tmp_path: Path) -> None:
    """The cassette is the one that a first attempt would have made."""
    contents = []
    for name, attempts in (("once", 1), ("twice", 2)):
        path = tmp_path / f"{name}.json"
        fake = FakeTransport()
        fake.on_execute("1", stdout="1\n")
        transport = RecordingTransport(path, fake)
        with Buntime("btk_123", transport=transport) as client:
            mark = transport.mark()
            for _ in range(attempts):
                transport.rewind(mark)
                client.sessions.create().execute("1")
        contents.append(path.read_text())
    first, second = ([line for line in text.splitlines() if "At" not in line] for text in contents)
    assert first == second
    assert "ses_1" in contents[1]
