"""A forked child that closed a stream of its parent wrote to the recording."""

from __future__ import annotations

from pathlib import Path

from buntime import Buntime
from buntime.transport import FakeTransport, RecordingTransport, ReplayTransport
from tests.support.forks import hold_locks, needs_fork, run_in_fork


@needs_fork
def test_a_forked_child_writes_nothing(tmp_path: Path) -> None:
    """The child writes nothing, and does not wait for the parent's recording thread."""
    fake = FakeTransport()
    fake.on_execute("1", chunks=[("stdout", "a"), ("stdout", "b")])
    path = tmp_path / "x.json"
    part = tmp_path / "x.json.part"
    recording = RecordingTransport(path, fake)
    with (
        Buntime(transport=recording) as client,
        client.sessions.create() as session,
        session.stream("1") as stream,
    ):
        next(stream)
        before = part.read_bytes()
        with hold_locks(recording._recorder._lock):
            assert "b" == run_in_fork(lambda: "".join(event.text for event in stream))
        assert before == part.read_bytes()
        assert "b" == "".join(event.text for event in stream)
    assert 3 == len(ReplayTransport(path).unplayed)
