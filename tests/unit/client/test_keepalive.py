"""Keeping a session awake, and its remaining lifetime."""

from __future__ import annotations

import gc
import logging
import os
import subprocess
import sys
import threading
from typing import Any

import pytest

from buntime import APIConnectionError, Buntime, SessionNotFoundError
from buntime.transport import FakeTransport, FunctionTransport, Request, Response
from tests.support import responses
from tests.support.scripted import ScriptedTransport, always, lost
from tests.support.threads import started_since

_CREATED = always(responses.as_json, responses.CREATED)


class _PingedService:
    """A service that counts pings. It does not own time, so the client pings from a thread."""

    def __init__(self, *failures: Exception) -> None:
        self.count = 0
        self.threads: set[str] = set()
        self._failures = list(failures)
        self._changed = threading.Condition()

    def __call__(self, request: Request) -> Response:
        with self._changed:
            self.count += 1
            self.threads.add(threading.current_thread().name)
            self._changed.notify_all()
            if self._failures:
                raise self._failures.pop(0)
        return responses.as_json(responses.result(stdout="{}\n"))

    def wait_for(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.count >= count, 30)


def _client(pinged: _PingedService, **options: Any) -> Buntime:
    return Buntime(transport=FunctionTransport(pinged), **options)


def _fake() -> tuple[FakeTransport, Buntime]:
    fake = FakeTransport()
    return fake, Buntime(transport=fake)


def _pings(fake: FakeTransport) -> int:
    return sum("buntime:helper" in str(call.json) for call in fake.calls)


def test_a_fake_session_stays_awake_while_time_passes() -> None:
    """The fake pings as its time passes, without a thread and without waiting."""
    fake, client = _fake()
    before = threading.enumerate()
    with client, client.sessions.create() as session:
        with session.stay_awake() as awake:
            fake.advance(3000)
            assert [] == started_since(before)
            assert "active" == fake.sessions[session.id].state
            assert 51 == _pings(fake)
            assert awake.error is None
        fake.advance(3000)
        assert 51 == _pings(fake)
        assert "deep-sleep" == fake.sessions[session.id].state


def test_a_session_without_pings_becomes_idle() -> None:
    """It becomes idle after five minutes without a request."""
    fake, client = _fake()
    with client, client.sessions.create() as session:
        fake.advance(301)
        assert "idle" == fake.sessions[session.id].state


def test_the_ttl_is_not_extended(caplog: pytest.LogCaptureFixture) -> None:
    """The session ends at its ttl; that is logged once and stored, and pings stop."""
    fake, client = _fake()
    with client:
        session = client.sessions.create(ttl=600)
        with session.stay_awake(interval=100) as awake:
            fake.advance(2000)
            calls = len(fake.calls)
            fake.advance(2000)
            assert calls == len(fake.calls)
            assert isinstance(awake.error, SessionNotFoundError)
        assert 0 == session.remaining
    assert 1 == sum("no longer kept awake" in record.message for record in caplog.records)


def test_a_thread_pings_until_the_block_ends() -> None:
    """It pings immediately, then at every interval; after the block the thread is gone."""
    pinged = _PingedService()
    with _client(pinged) as client:
        with client.sessions.attach("ses_1").stay_awake(interval=0.001):
            pinged.wait_for(3)
        count = pinged.count
        assert {"buntime-stay-awake"} == pinged.threads
        assert "buntime-stay-awake" not in {thread.name for thread in threading.enumerate()}
        assert count == pinged.count


def test_the_block_does_not_wait_for_the_interval() -> None:
    """It ends immediately, however long until the next ping; also if it raises."""
    pinged = _PingedService()
    with _client(pinged) as client:
        with pytest.raises(ZeroDivisionError), client.sessions.attach("ses_1").stay_awake(interval=240):
            raise ZeroDivisionError
        assert pinged.count <= 1


def test_a_failed_ping_is_stored_and_retried(caplog: pytest.LogCaptureFixture) -> None:
    """It raises no error in the block, and ``on_retry`` is called for the caller's own requests only."""
    retries: list[object] = []
    pinged = _PingedService(lost("send"))
    with _client(pinged, max_retries=0, on_retry=lambda *event: retries.append(event)) as client:
        with client.sessions.attach("ses_1").stay_awake(interval=0.001) as awake:
            pinged.wait_for(3)
        assert awake.error is None
    assert [] == retries
    assert ["session ses_1 was not kept awake"] == [
        record.message.partition(":")[0] for record in caplog.records if record.levelno == logging.WARNING
    ]
    pinged = _PingedService(*[lost("send")] * 10_000)
    with (
        _client(pinged, max_retries=0) as client,
        client.sessions.attach("ses_1").stay_awake(interval=0.001) as awake,
    ):
        pinged.wait_for(2)
        assert isinstance(awake.error, APIConnectionError)


def test_one_block_at_a_time() -> None:
    """Entering twice is an error; entering later, after the exit, is not."""
    pinged = _PingedService()
    with _client(pinged) as client:
        awake = client.sessions.attach("ses_1").stay_awake()
        with awake, pytest.raises(RuntimeError, match="already"):
            awake.__enter__()
        with awake:
            pass
        awake.__exit__(None, None, None)


def test_a_block_that_is_never_left_ends_with_its_object() -> None:
    """The thread ends even if a generator is never finished."""
    pinged = _PingedService()
    with _client(pinged) as client:
        awake = client.sessions.attach("ses_1").stay_awake(interval=0.001)
        awake.__enter__()
        del awake
        gc.collect()
        assert "buntime-stay-awake" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_pings_nothing() -> None:
    """It has no thread, and it can leave the block like its parent."""
    pinged = _PingedService()
    with _client(pinged) as client:
        with client.sessions.attach("ses_1").stay_awake(interval=240) as awake:
            pinged.wait_for(1)
            child = os.fork()
            if not child:
                awake.__exit__(None, None, None)
                os._exit(threading.active_count())
            assert 1 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert 1 == pinged.count


def test_a_program_may_exit_inside_the_block() -> None:
    """Neither the end of the interpreter nor `sys.exit` waits for the thread."""
    program = """
from buntime import Buntime
from buntime.transport import FunctionTransport, Response
import sys
body = b'{"stdout": "{}", "stderr": "", "exitCode": 0}'
client = Buntime(transport=FunctionTransport(lambda request: Response(200, (), [body])))
client.sessions.attach("ses_1").stay_awake(interval=200).__enter__()
awake = client.sessions.attach("ses_2").stay_awake(interval=200)
awake.__enter__()
print("done")
sys.exit(3)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert ("done\n", "", 3) == (done.stdout, done.stderr, done.returncode)


def test_remaining_uses_the_clock_of_the_transport() -> None:
    """It starts at the ttl, decreases with every second and is never below 0."""
    fake, client = _fake()
    with client:
        session = client.sessions.create(ttl=600)
        assert 600 == session.remaining
        fake.advance(250)
        assert 350 == session.remaining
        attached = client.sessions.attach(session.id)
        before = attached.remaining
        assert before is None
        attached.info()
        later = attached.remaining
        assert later is not None
        assert 349 <= later <= 350
        fake.advance(400)
        assert 0 == session.remaining == attached.remaining


def test_remaining_starts_before_the_request() -> None:
    """The ttl counts from before the request that created the session."""
    transport = ScriptedTransport(_CREATED, takes=7.0)
    session = Buntime(transport=transport).sessions.create()
    assert 86400 - 7 == session.remaining


def test_remaining_of_a_session_returned_for_a_repeated_key() -> None:
    """An idempotency key may return an older session, so its remaining time uses its expiry date."""
    fake, client = _fake()
    with client:
        client.sessions.create(ttl=600, idempotency_key="k")
        fake.advance(500)
        same = client.sessions.create(ttl=600, idempotency_key="k")
        assert same.remaining is not None
        assert same.remaining <= 100


def test_remaining_is_none_without_a_ttl() -> None:
    """The client invents no values."""
    client = Buntime(transport=ScriptedTransport(always(responses.as_json, {"sessionId": "ses_1"})))
    assert client.sessions.create().remaining is None
