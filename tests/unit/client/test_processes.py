"""Background processes: requests, validation and retries."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from typing import Any, Callable

import pytest

from buntime import (
    APIConnectionError,
    Buntime,
    InvalidResponseError,
    NotFoundError,
    ServerError,
    Session,
    SessionNotFoundError,
    WaitTimeoutError,
)
from buntime.helpers.runner import source
from buntime.service.scripted.executor import ScriptedExecutor
from buntime.service.scripted.results import ScriptedResult
from buntime.service.sessions.app import Service
from buntime.service.workspace.memory import MemoryWorkspace
from buntime.transport import FakeTransport, FunctionTransport, Request, Response
from tests.support import responses
from tests.support.cases import in_one_test
from tests.support.clocks import ManualClock

SERVER = "Bun.serve({ fetch: () => new Response() })"


@pytest.fixture
def fake() -> FakeTransport:
    """Return a fake with a server that runs until it is killed and a program that ends."""
    fake = FakeTransport()
    fake.on_execute(SERVER, stdout="up\n", keeps_running=True)
    fake.on_execute("ends", exit_code=4)
    return fake


@pytest.fixture
def session(fake: FakeTransport) -> Iterator[Session]:
    """Return a session of the fake."""
    with Buntime(transport=fake) as client, client.sessions.create() as created:
        yield created


def helpers_of(fake: FakeTransport) -> list[dict[str, Any]]:
    """Return the first lines of the helpers that were sent."""
    codes = [call.json["code"] for call in fake.calls if call.path == "/execute"]
    return [json.loads(code.partition("\n")[0][len("// buntime:helper ") :]) for code in codes]


INVALID: list[tuple[Callable[[Session], object], type[Exception], str]] = [
    (lambda s: s.start(), ValueError, "code and"),  # type: ignore[call-overload] # invalid on purpose
    (lambda s: s.start("1", command="2"), ValueError, "code and"),  # type: ignore[call-overload] # invalid on purpose
    (lambda session: session.start(1), TypeError, "code"),  # type: ignore[call-overload] # invalid on purpose
    (lambda session: session.start("1", env={"A=": "b"}), ValueError, "env"),
    (lambda session: session.start("1", working_dir=""), ValueError, "working_dir"),
    (lambda session: session.wait_for_port(0), ValueError, "port"),
    (lambda session: session.wait_for_port(65536), ValueError, "port"),
    (lambda session: session.wait_for_port(True), TypeError, "port"),
    (lambda session: session.wait_for_port(80, timeout=-1), ValueError, "timeout"),
    (lambda session: session.wait_for_port(80, timeout=float("nan")), ValueError, "timeout"),
]


@in_one_test(("call", "kind", "message"), INVALID)
def test_an_invalid_argument_is_named_before_a_request(
    fake: FakeTransport,
    session: Session,
    call: Callable[[Session], object],
    kind: type[Exception],
    message: str,
) -> None:
    """Every method of a session for processes and ports validates its arguments."""
    with pytest.raises(kind, match=message):
        call(session)
    assert [] == helpers_of(fake)


def test_an_invalid_argument_of_a_process_is_named(fake: FakeTransport, session: Session) -> None:
    """The error is immediate, even if the method returns an iterator."""
    process = session.start("ends")
    sent = len(fake.calls)
    for call in (process.logs, process.follow):
        for offset, kind in ((-1, ValueError), (True, TypeError), ("1", TypeError), (1.0, TypeError)):
            with pytest.raises(kind, match="stderr_offset"):
                call(0, offset)  # type: ignore[arg-type] # invalid on purpose
    for timeout in (float("inf"), "1", True):
        with pytest.raises((TypeError, ValueError), match="timeout"):
            process.wait(timeout)  # type: ignore[arg-type] # invalid on purpose
    assert sent == len(fake.calls)


def test_the_environment_is_sent_as_that_of_the_execution(fake: FakeTransport, session: Session) -> None:
    """It is not part of the helper's code, which a recording shows."""
    session.start("ends", env={"TOKEN": "secret-value"})
    body = fake.calls[-1].json
    assert "secret-value" == body["env"]["TOKEN"]
    assert "secret-value" not in body["code"]


def test_a_long_wait_is_split_into_requests(fake: FakeTransport, session: Session) -> None:
    """Each waits 20 seconds at most, and the waits add up without reading a clock."""
    process = session.start(SERVER)
    before = fake.monotonic()
    with pytest.raises(WaitTimeoutError, match=r"after 50 s"):
        process.wait(50)
    assert [20, 20, 10] == [line["wait"] for line in helpers_of(fake)[1:]]
    assert 50 == fake.monotonic() - before


def test_waiting_without_end_ends_with_the_session(fake: FakeTransport) -> None:
    """This includes a process of the fake, because no other thread can kill it."""
    with Buntime(transport=fake) as client, pytest.raises(SessionNotFoundError):
        client.sessions.create(ttl=300).start(SERVER).wait()


def test_an_exit_code_is_requested_once(fake: FakeTransport, session: Session) -> None:
    """It cannot change."""
    process = session.start("ends")
    assert 4 == process.wait()
    sent = len(fake.calls)
    assert (4, False, 4) == (process.wait(1), process.running(), process.exit_code)
    assert sent == len(fake.calls)


def test_frequent_output_is_gathered() -> None:
    """After an early piece, the next request waits for more output; after a late one, it does not."""
    codes: list[str] = []
    frequent = iter([True, False, False])

    def execute(request: Request) -> Response:
        codes.append(json.loads(request.content)["code"])
        output: dict[str, Any] = {"number": 1, "pid": 2}
        if len(codes) > 1:
            offsets = {"stdout_offset": len(codes), "stderr_offset": 0, "complete": len(codes) == 4}
            output = {"stdout": "x", "stderr": "", "frequent": next(frequent), **offsets}
        return responses.as_json(responses.result(stdout=json.dumps(output)))

    process = Buntime(transport=FunctionTransport(execute)).sessions.attach("ses_1").start("1")
    assert "xxx" == "".join(event.text for event in process.follow())
    lines = [json.loads(code.partition("\n")[0].partition("helper ")[2]) for code in codes[1:]]
    assert [(0, 0), (2, 1), (3, 0)] == [(line["stdout"], line["gather"]) for line in lines]


def test_logs_are_limited(fake: FakeTransport, session: Session) -> None:
    """``max_output`` limits a piece; the next one starts at its end."""
    fake.on_execute("prints", stdout="one\ntwo\n")
    process = session.start("prints")
    everything = process.logs()
    assert len(everything.stdout) > 4
    piece = process.logs(max_output=4)
    assert (everything.stdout[:4], 4) == (piece.stdout, piece.stdout_offset)
    assert everything.stdout[4:] == process.logs(piece.stdout_offset).stdout
    assert everything == process.logs(max_output=10**9)
    with pytest.raises(ValueError, match="max_output must be at least 4"):
        process.logs(max_output=3)


def test_reading_is_retried(fake: FakeTransport, session: Session) -> None:
    """Waiting, logs, the list and the port are retried like a GET."""
    process = session.start(SERVER)
    for call in (process.running, process.logs, session.processes, lambda: session.wait_for_port(80)):
        fake.fail_next("dropped", call="POST /execute")
        call()
    fake.fail_next("dropped", call="POST /execute")
    assert "up\n" == next(process.follow()).text


def test_a_start_or_kill_is_not_retried(fake: FakeTransport, session: Session) -> None:
    """If its response is lost, the error has `maybe_executed`."""
    fake.fail_next("dropped", call="POST /execute")
    with pytest.raises(APIConnectionError) as caught:
        session.start(SERVER)
    assert (True, 1) == (caught.value.maybe_executed, caught.value.attempts)
    (process,) = session.processes()
    fake.fail_next("dropped", call="POST /execute")
    with pytest.raises(APIConnectionError):
        process.kill()
    assert not process.running()


def test_a_kill_that_fails_at_the_end_of_a_block(
    fake: FakeTransport, session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    """It raises if the block succeeded and is logged if the block failed."""
    with pytest.raises(ServerError), session.start(SERVER):
        fake.fail_next(500, call="POST /execute")
    caplog.set_level(logging.WARNING, "buntime")
    with pytest.raises(ZeroDivisionError), session.start(SERVER):  # noqa: PT012 - the block is what fails
        fake.fail_next(500, call="POST /execute")
        _ = 1 / 0
    assert "was not killed" in caplog.text


def test_an_unscripted_process(session: Session) -> None:
    """The error shows the line to add, as for an execution."""
    with pytest.raises(ServerError, match=r"fake\.on_execute\('other', stdout=\.\.\.\)"):
        session.start("other")
    assert [] == session.processes()


def test_a_missing_process(fake: FakeTransport, session: Session) -> None:
    """The error has its number."""
    process = session.start(SERVER)
    process._number = 7
    with pytest.raises(NotFoundError, match=r"no process 7. .*session.processes\(\)") as caught:
        process.kill()
    assert "process_not_found" == caught.value.code


def test_processes_of_a_fake_end_when_it_sleeps(fake: FakeTransport, session: Session) -> None:
    """They end as on the service."""
    process = session.start(SERVER)
    fake.advance(31 * 60)
    info = session.info()
    assert ("deep-sleep", 0) == (info.state, info.active_processes)
    assert 137 == process.exit_code


def test_one_process_is_killed_by_its_pid(session: Session) -> None:
    """`Session.kill` accepts its pid like any other of the session."""
    one, other = session.start(SERVER), session.start(SERVER)
    assert (one.pid,) == session.kill(one.pid).pids
    assert (137, None) == (one.exit_code, other.exit_code)


def test_a_repr_names_session_and_number(session: Session) -> None:
    """It sends no request."""
    assert f"<Process 1 of {session.id}>" == repr(session.start(SERVER))


def test_waiting_on_a_served_service_takes_real_time() -> None:
    """The scripted service really waits when it is served, and a kill ends the wait."""
    executor = ScriptedExecutor()
    executor.add(SERVER, contains=None, command=None, results=[ScriptedResult(keeps_running=True)])
    clock = ManualClock()
    service = Service(executor, lambda _: MemoryWorkspace(clock), clock=clock)
    client = Buntime(transport=FunctionTransport(service.handle))
    session = client.sessions.create()
    process = session.start(SERVER)
    with pytest.raises(WaitTimeoutError):
        process.wait(0.01)
    killer = threading.Thread(target=process.kill)
    killer.start()
    assert 137 == process.wait()
    killer.join()


def test_helpers_include_their_shared_functions() -> None:
    """The first line of each has its operation."""
    for op in ("process_start", "process_list", "process_wait", "process_logs", "process_kill", "port"):
        code = source(op, number=1)
        assert code.startswith(f'// buntime:helper {{"op": "{op}", "number": 1}}\n')
        assert "async function pollUntil(" in code


OUTPUTS: list[Any] = [
    {},
    {"number": "1", "pid": 2},
    {"number": True, "pid": 2},
    {"number": 1, "pid": None},
]


@in_one_test("output", OUTPUTS)
def test_an_invalid_output(output: Any) -> None:
    """Untrusted code could print it, so it raises an InvalidResponseError in every method."""

    def execute(_request: Request) -> Response:
        return responses.as_json(responses.result(stdout=json.dumps(output)))

    session = Buntime(transport=FunctionTransport(execute)).sessions.attach("ses_1")
    with pytest.raises(InvalidResponseError):
        session.start("1")
    with pytest.raises(InvalidResponseError, match="has no list of processes"):
        session.processes()
