"""Transports without connections in a forked child.

A fake, a function and a cassette are copied: the child uses its own copy, and the parent is not affected.
A recording is rejected. :class:`HTTPTransport` and :class:`LocalTransport` are tested elsewhere.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from buntime import Buntime, CassetteError, ExecuteResult, Session
from buntime.transport import (
    FakeTransport,
    FunctionTransport,
    RecordingTransport,
    ReplayTransport,
    Request,
    Response,
)
from tests.support import responses
from tests.support.forks import hold_locks, locks_of, needs_fork, run_in_fork

pytestmark = needs_fork


def _fake() -> FakeTransport:
    fake = FakeTransport(plan="paid")
    fake.on_execute("console.log(1)", stdout="1\n")
    fake.on_call("(a) => a", handler=lambda a: a)
    fake.on_execute("serve()", keeps_running=True)
    return fake


def _everything(client: Buntime, session: Session) -> str:
    """Use every part of the service once."""
    session.execute("console.log(1)", files={"b.txt": "b"})
    session.call("(a) => a", 7)
    session.files.write("a.bin", b"\xff")
    session.start("serve()").kill()
    session.kill_all()
    with client.sessions.create(idempotency_key="again") as other:
        client.sessions.create(idempotency_key="again")
        other.info()
    return f"{[file.path for file in session.files.list()]} {client.rate_limit}"


def test_a_fake_is_copied() -> None:
    """Even if other threads hold its locks; each process has its own sessions, files and calls."""
    fake = _fake()
    with Buntime(transport=fake) as client, client.sessions.create() as session:
        session.files.write("parent.txt", "p")
        before = fake.calls
        with session.stay_awake(), hold_locks(*locks_of(client)):
            output = run_in_fork(lambda: _everything(client, session))
        assert output.startswith("['a.bin', 'b.txt', 'parent.txt'] RateLimit(limit=1000, remaining=")
        assert ["parent.txt"] == [file.path for file in session.files.list()]
        assert [session.id] == list(fake.sessions)
        assert len(before) + 2 == len(fake.calls)


def test_a_fake_is_copied_with_its_clock() -> None:
    """A session of the parent continues in the child."""
    fake = _fake()
    with Buntime(transport=fake) as client, client.sessions.create(ttl=600) as session:

        def child() -> object:
            fake.advance(500)
            return session.remaining

        with hold_locks(*locks_of(fake)):
            assert "100.0" == run_in_fork(child)
        assert 600 == session.remaining


def test_a_function_is_called_in_the_child() -> None:
    """The parent does not see the call."""
    calls: list[str] = []

    def respond(request: Request) -> Response:
        calls.append(str(request))
        return responses.as_json(responses.INFO)

    with Buntime(transport=FunctionTransport(respond)) as client:
        assert "active 1" == run_in_fork(lambda: f"{client.sessions.info('ses_1').state} {len(calls)}")
    assert [] == calls


def _program(client: Buntime) -> ExecuteResult:
    with client.sessions.create() as session:
        return session.execute("console.log(1)", env={"TOKEN": "a-secret-of-12"})


def test_a_cassette_is_copied(tmp_path: Path) -> None:
    """Each process plays all of it once, even if other threads of the parent hold the locks."""
    path = tmp_path / "x.json"
    with Buntime(transport=RecordingTransport(path, _fake())) as client:
        _program(client)
    replay = ReplayTransport(path)
    with Buntime(transport=replay) as client:
        with hold_locks(*locks_of(replay)):
            assert "1\n []" == run_in_fork(lambda: f"{_program(client).stdout} {replay.unplayed}")
        assert 3 == len(replay.unplayed)
        assert "1\n" == _program(client).stdout
        assert [] == replay.unplayed


def test_a_recording_is_rejected(tmp_path: Path) -> None:
    """The error names it; neither the parent nor the child changes the recording by closing."""
    path = tmp_path / "x.json"
    recording = RecordingTransport(path, _fake())
    client = Buntime(transport=recording, delete_on_close=True)
    session = client.sessions.create()
    before = (tmp_path / "x.json.part").read_bytes()

    def child() -> str:
        with pytest.raises(CassetteError, match="does not work after a fork") as caught, session:
            session.execute("console.log(1)")
        client.close()
        recording.discard()
        return caught.value.message

    with hold_locks(*locks_of(recording)):
        message = run_in_fork(child)
    assert "RecordingTransport does not work after a fork; create one in the child" == message
    assert before == (tmp_path / "x.json.part").read_bytes()
    session.execute("console.log(1)")
    client.close()
    assert not (tmp_path / "x.json.part").exists()
    assert 3 == len(ReplayTransport(path).unplayed)
