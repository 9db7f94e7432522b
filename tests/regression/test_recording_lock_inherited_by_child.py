"""A cassette could not be recorded while a child of an earlier recording was alive."""

from __future__ import annotations

import os
from pathlib import Path

from buntime import Buntime
from buntime.cassette.file import load
from buntime.transport import FakeTransport, RecordingTransport
from tests.support.forks import needs_fork, run_in_fork


@needs_fork
def test_a_recording_ends_with_its_process(tmp_path: Path) -> None:
    """A forked child does not inherit the lock, even if its parent ends abruptly."""
    path = tmp_path / "x.json"
    reading, writing = os.pipe()

    def record() -> str:
        recording = RecordingTransport(path, FakeTransport())
        if not os.fork():
            os.close(writing)
            os.read(reading, 1)
            os._exit(0)
        return repr(recording)

    try:
        run_in_fork(record)
        with Buntime(transport=RecordingTransport(path, FakeTransport())) as client:
            client.sessions.create()
    finally:
        os.close(writing)
        os.close(reading)
    assert 1 == len(load(path).interactions)
