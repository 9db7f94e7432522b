"""Recording stores exactly the requests and responses that pass."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from buntime import (
    APIConnectionError,
    APITimeoutError,
    Buntime,
    CassetteError,
    CassetteMismatchError,
    ConflictError,
    SessionNotFoundError,
)
from buntime.cassette.file import load
from buntime.cassette.journal import recover
from buntime.transport import (
    FakeTransport,
    FunctionTransport,
    RecordingTransport,
    ReplayTransport,
    Request,
    Response,
    SupportsTime,
)
from tests.support.cassettes import fake, record, replay, run
from tests.support.scripted import ScriptedTransport, cut, lost

OK = b'{"stdout": "x", "stderr": "", "exitCode": 0}'


def two_runs(client: Buntime) -> list[str]:
    """Create a session and execute twice in it."""
    with client.sessions.create() as session:
        return [session.execute("1").stdout, session.execute("2").stdout]


def test_every_request_is_an_interaction(tmp_path: Path) -> None:
    """In the order of the requests; the session is numbered wherever its id occurs."""
    path = tmp_path / "deep" / "er" / "x.json"
    record(path, two_runs)
    cassette = load(path)
    assert ["POST /sessions/create", "POST /execute", "POST /execute", "DELETE /sessions/ses_1"] == [
        item.call for item in cassette.interactions
    ]
    assert [path] == list(path.parent.iterdir())


def test_attempts_are_interactions(tmp_path: Path) -> None:
    """Every attempt is recorded; on replay the failures are raised again and nothing waits."""
    path, retries = tmp_path / "x.json", []
    transport = fake()
    transport.fail_next(503, call="GET /sessions/ses_x", headers={"Retry-After": "40"})
    transport.fail_next("timeout", call="GET /sessions/ses_x")
    transport.fail_next(404, call="GET /sessions/ses_x", code="session_not_found")

    def program(client: Buntime) -> str:
        with pytest.raises(SessionNotFoundError) as caught:
            client.sessions.info("ses_x")
        return f"SessionNotFoundError after {caught.value.attempts}"

    options: dict[str, Any] = {"on_retry": lambda error, attempt: retries.append(type(error).__name__)}
    assert "SessionNotFoundError after 3" == record(path, program, transport, **options)
    assert "SessionNotFoundError after 3" == replay(path, program, **options)
    assert ["ServerError", "APITimeoutError"] * 2 == retries


@pytest.mark.parametrize("phase", ["connect", "send", "read"])
@pytest.mark.parametrize("kind", [APIConnectionError, APITimeoutError])
def test_a_failure_is_replayed(tmp_path: Path, kind: type[APIConnectionError], phase: Any) -> None:
    """With the same class and the same phase, so the retries are the same."""
    path = tmp_path / "x.json"

    def program(client: Buntime) -> tuple[str, str, bool]:
        with pytest.raises(APIConnectionError) as caught:
            client.execute(session_id="ses_1", code="1")
        return type(caught.value).__name__, caught.value.phase, caught.value.maybe_executed

    transport = ScriptedTransport(kind("it failed", phase=phase))
    live = record(path, program, transport, max_retries=0)
    assert (kind.__name__, phase, phase != "connect") == live == replay(path, program, max_retries=0)


def test_an_interrupted_response_is_replayed(tmp_path: Path) -> None:
    """The recorded part of the stream arrives, then the same error."""
    path = tmp_path / "x.json"
    event = b'event: stdout\ndata: {"text": "one"}\n\n'

    def respond(_: Request) -> Response:
        chunks = cut(event[:10], event[10:] + b"event: std", then=lost())
        return Response(200, {"Content-Type": "text/event-stream"}, chunks)

    def program(client: Buntime) -> str:
        stream = client.stream(session_id="ses_1", code="1")
        with pytest.raises(APIConnectionError) as caught:
            list(stream)
        return stream.stdout + caught.value.phase

    assert "oneread" == record(path, program, FunctionTransport(respond)) == replay(path, program)


def test_an_exceeded_deadline_is_replayed(tmp_path: Path) -> None:
    """The client gave up while it read; it does so on replay too, although no time passes."""
    path = tmp_path / "x.json"
    transport = ScriptedTransport(lambda: Response(200, (), slow()))

    def slow() -> Any:
        yield b"{"
        transport.now += 100
        yield b"}"
        yield b" "

    def program(client: Buntime) -> str:
        with pytest.raises(APITimeoutError) as caught:
            client.execute(session_id="ses_1", code="1")
        return caught.value.phase

    assert "read" == record(path, program, transport, deadline=50) == replay(path, program, deadline=50)


def test_a_partly_read_stream_ends_where_it_was_left(tmp_path: Path) -> None:
    """A program that reads further gets an error; one that leaves after the same event works."""
    path = tmp_path / "x.json"
    transport = FakeTransport()
    transport.on_execute("1", chunks=[("stdout", "a"), ("stdout", "b"), ("stdout", "c")])

    def leaves(client: Buntime) -> str:
        with client.sessions.create() as session, session.stream("1") as stream:
            return next(stream).text

    def reads_on(client: Buntime) -> list[str]:
        with client.sessions.create() as session, session.stream("1") as stream:
            return [event.text for event in stream]

    assert "a" == record(path, leaves, transport) == replay(path, leaves)
    with pytest.raises(CassetteMismatchError, match="read no further") as caught:
        replay(path, reads_on)
    assert "left" == caught.value.reason


def test_a_ping_is_not_stored(tmp_path: Path) -> None:
    """It is sent to the service when recording, and replay itself responds to any number of pings."""
    path = tmp_path / "x.json"
    calls: list[Request] = []
    code = '// buntime:helper {"op": "ping"}\nprogram\n'

    def respond(request: Request) -> Response:
        calls.append(request)
        return Response(200, {"Content-Type": "application/json"}, [OK])

    def program(client: Buntime) -> None:
        client.execute(session_id="ses_1", code="1")
        assert client.execute(session_id="ses_1", code=code).ok

    record(path, program, FunctionTransport(respond))
    assert 2 == len(calls)
    assert 1 == len(load(path).interactions)
    replay(path, lambda client: client.execute(session_id="ses_1", code="1"))
    replay(path, program)


def test_a_helper_is_identified_by_its_first_line(tmp_path: Path) -> None:
    """The program of another release of the library matches all the same."""
    path = tmp_path / "x.json"
    transport = FunctionTransport(lambda _: Response(200, {"Content-Type": "application/json"}, [OK]))

    def program(rest: str, name: str = "a") -> Any:
        code = f'// buntime:helper {{"op": "stat", "path": "{name}"}}\n{rest}'
        return lambda client: client.execute(session_id="ses_1", code=code).stdout

    record(path, program("one program"), transport)
    assert "one program" not in path.read_text(encoding="utf-8")
    assert "x" == replay(path, program("another program"))
    with pytest.raises(CassetteMismatchError):
        replay(path, program("one program", "b"))


def test_other_exceptions_are_raised_unchanged(tmp_path: Path) -> None:
    """An error other than a failed connection is not recorded."""
    path = tmp_path / "x.json"

    def broken(_: Request) -> Response:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        record(path, lambda client: client.sessions.info("ses_1"), FunctionTransport(broken))
    assert () == load(path).interactions


def test_a_failed_test_leaves_the_cassette_unchanged(tmp_path: Path) -> None:
    """Discarding removes the recorded part and closes the inner transport once."""
    path = tmp_path / "x.json"
    path.write_text("as it was")
    inner = ScriptedTransport(lambda: Response(200, {"Content-Type": "application/json"}, [OK]))
    transport = RecordingTransport(path, inner)
    Buntime(transport=transport).execute(session_id="ses_1", code="1")
    transport.discard()
    transport.discard()
    transport.close()
    assert 1 == inner.closed
    assert "as it was" == path.read_text()
    assert [path] == list(tmp_path.iterdir())
    with pytest.raises(RuntimeError, match="closed"):
        transport.send(Request("GET", "/x"))


def test_an_unread_response_is_stored_on_close(tmp_path: Path) -> None:
    """Closing the transport ends the requests in progress."""
    path = tmp_path / "x.json"
    transport = RecordingTransport(path, FunctionTransport(lambda _: Response(200, (), [OK])))
    response = transport.send(Request("GET", "/x"))
    transport.close()
    assert OK == response.read()
    assert [{"status": 200, "headers": {}, "left": True}] == [
        item.response for item in load(path).interactions
    ]


def test_only_one_recording_of_a_cassette_at_a_time(tmp_path: Path) -> None:
    """A second one would overwrite the first."""
    first = RecordingTransport(tmp_path / "x.json", fake())
    with pytest.raises(CassetteError, match="another recording of the same cassette"):
        RecordingTransport(tmp_path / "x.json", fake())
    first.close()
    RecordingTransport(tmp_path / "x.json", fake()).close()


def test_an_unwritable_path_is_an_error(tmp_path: Path) -> None:
    """It is raised before any request is sent."""
    (tmp_path / "file").write_text("")
    with pytest.raises(CassetteError, match="cannot be written"):
        RecordingTransport(tmp_path / "file" / "x.json", fake())


def test_wrong_arguments(tmp_path: Path) -> None:
    """A string in place of several, and an object that is not a transport."""
    with pytest.raises(TypeError, match="allow"):
        RecordingTransport(tmp_path / "x.json", fake(), allow="abc")
    with pytest.raises(TypeError, match="inner"):
        RecordingTransport(tmp_path / "x.json", "local")  # type: ignore[arg-type]  # the point
    assert [] == list(tmp_path.iterdir())


def test_time_is_that_of_the_inner_transport(tmp_path: Path) -> None:
    """A recording controls time if its inner transport does."""
    inner = fake()
    timed = RecordingTransport(tmp_path / "x.json", inner)
    assert isinstance(timed, SupportsTime)
    before = timed.monotonic()
    timed.sleep(5)
    assert 5 == timed.monotonic() - before
    timed.close()
    plain = RecordingTransport(tmp_path / "y.json", FunctionTransport(lambda _: Response(200)))
    assert not isinstance(plain, SupportsTime)
    plain.close()
    assert "RecordingTransport" in repr(plain)


def test_an_interrupted_recording_is_recovered(tmp_path: Path) -> None:
    """The part file has the complete interactions, one per line; the cassette is the whole one."""
    path, part = tmp_path / "x.json", tmp_path / "x.json.part"
    contents: list[bytes] = []

    def program(client: Buntime) -> None:
        two_runs(client)
        contents.append(part.read_bytes())

    record(path, program)
    part.write_bytes(contents[0] + b'[9,{"request": {"meth')
    assert len(load(path).interactions) == len(load(part).interactions)
    recover(part, tmp_path / "recovered.json")
    assert path.read_bytes() == (tmp_path / "recovered.json").read_bytes()
    assert not part.exists()


def test_a_recording_replaces_an_interrupted_one(tmp_path: Path) -> None:
    """Its part file has nothing of the other one, which was longer."""
    path, part = tmp_path / "x.json", tmp_path / "x.json.part"

    def program(client: Buntime) -> list[bytes]:
        two_runs(client)
        return part.read_bytes().splitlines()

    head, *lines = record(path, program)
    part.write_bytes(b"\n".join([head, *lines, *lines, b""]))
    assert len(lines) == len(record(path, program)) - 1
    assert not part.exists()


def test_ambiguous_sessions_are_rejected(tmp_path: Path) -> None:
    """They are created concurrently with equal arguments; with different metadata they are recorded."""
    barrier = threading.Barrier(2, timeout=60)
    real = fake()

    def together(request: Request) -> Response:
        if request.path == "/sessions/create":
            barrier.wait()
        return real.send(request)

    def program(*metadata: dict[str, Any]) -> Any:
        def create_both(client: Buntime) -> list[int]:
            with ThreadPoolExecutor(2) as threads:
                sessions = list(threads.map(lambda fields: client.sessions.create(metadata=fields), metadata))
            return [int(session.info().metadata["n"]) for session in sessions]

        return create_both

    path = tmp_path / "x.json"
    with pytest.raises(CassetteError, match=r"ambiguous_session.*give each its own metadata="):
        record(path, program({"n": 1}, {"n": 1}), FunctionTransport(together))
    assert [] == list(tmp_path.iterdir())
    different = program({"n": 1}, {"n": 2})
    assert [1, 2] == record(path, different, FunctionTransport(together)) == replay(path, different)
    before = path.read_bytes()
    for _ in range(5):
        record(path, different, FunctionTransport(together))
        assert before == path.read_bytes()

    def record_ignoring(*metadata: dict[str, Any]) -> None:
        inner = FunctionTransport(together)
        run(RecordingTransport(path, inner, ignore="re:run-[0-9]+"), program(*metadata))

    record_ignoring({"n": 1, "run": "run-1"}, {"n": 2, "run": "run-2"})
    before = path.read_bytes()
    for number in range(3, 8):
        record_ignoring({"n": 2, "run": f"run-{number}"}, {"n": 1, "run": f"run-{number + 9}"})
        assert before == path.read_bytes()
    with pytest.raises(CassetteError, match="ambiguous_session"):
        record_ignoring({"n": 1, "run": "run-1"}, {"n": 1, "run": "run-2"})


def test_concurrent_threads_are_recorded_separately(tmp_path: Path) -> None:
    """Eight threads with 60 requests each get on replay the same responses as live."""
    path = tmp_path / "x.json"
    transport = FakeTransport()
    transport.on_execute(
        lambda _: True, handler=lambda run: f"{run.session_id[-1]} {run.code} {run.env['N']}"
    )

    def program(client: Buntime) -> list[list[str]]:
        sessions = [client.sessions.create(metadata={"n": number}) for number in range(8)]

        def calls(number: int) -> list[str]:
            session = sessions[number]
            return [session.execute(f"f({i % 20})", env={"N": f"{number}.{i}"}).stdout for i in range(60)]

        with ThreadPoolExecutor(8) as threads:
            return list(threads.map(calls, range(8)))

    live = record(path, program, transport)
    assert 8 * 60 + 8 == len(load(path).interactions)
    assert live == replay(path, program)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_leaves_the_recording_unchanged(tmp_path: Path) -> None:
    """It can neither add to it nor close it."""
    path = tmp_path / "x.json"
    transport = RecordingTransport(path, fake())
    run_child = os.fork()
    if run_child == 0:
        try:
            transport.close()
            transport.send(Request("GET", "/x"))
        except CassetteError:
            os._exit(7)
        os._exit(1)
    assert 7 == os.waitstatus_to_exitcode(os.waitpid(run_child, 0)[1])
    run(transport, two_runs)
    assert 4 == len(load(path).interactions)
    assert [] != ReplayTransport(path).unplayed


def test_an_idempotency_key_is_not_a_secret(tmp_path: Path) -> None:
    """It changes with each run, so it is not compared; other texts that contain its words are unchanged."""
    path = tmp_path / "x.json"

    def program(key: str) -> Any:
        def create(client: Buntime) -> str:
            session = client.sessions.create(ttl=600, idempotency_key=key)
            with pytest.raises(ConflictError):
                client.sessions.create(ttl=900, idempotency_key=key)
            return session.execute("// the customer").stdout

        return create

    record(path, program("customer"), fake(stdout="one customer\n"))
    text = path.read_text(encoding="utf-8")
    assert "// the customer" in text
    assert "idempotency_key" not in text
    assert "one customer\n" == replay(path, program("another-key"))
