"""A session of buntime.sh over a devbox. tests/contract runs its common tests over one, too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Optional

import pytest

from buntime import (
    APIConnectionError,
    APIStatusError,
    ConfigurationError,
    ExecutionFailedError,
    InvalidRequestError,
    ServerError,
    Session,
    SessionNotFoundError,
    StreamEvent,
)
from buntime.runloop import RunloopSDK
from buntime.runloop.session_requests import PREPARE, WORKSPACE, Output
from buntime.runloop.wire.views.devboxes import ExecutionView
from buntime.testing import cassette
from buntime.transport import FakeTransport, HTTPTransport, LocalTransport, Request, Response, ScriptedResult
from tests.support.serving import buntime_serve

KEY = "rk_of_the_suite"
ENDED = ExecutionView(devbox_id="dbx_1", execution_id="exc_1", status="completed", exit_status=137)
MARK = "\x1ebuntime:end "


class LossyTransport(HTTPTransport):
    """Stores the requests, and loses the response to the first execution of a request of a session."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.requests: list[Request] = []
        self.loses = False

    def send(self, request: Request, /) -> Response:
        """Send a request."""
        self.requests.append(request)
        response = super().send(request)
        if self.loses and request.path.endswith("/execute"):
            self.loses = False
            response.close()
            raise APIConnectionError("lost after the execution", phase="read")
        return response


@pytest.fixture(scope="session", autouse=True)
def served() -> Iterator[tuple[str, str]]:
    """Return the URL of a ``buntime serve``, and the id of the devbox that the tests share."""
    with buntime_serve("--api-key", KEY) as server:
        with RunloopSDK(bearer_token=KEY, transport=HTTPTransport(server.url)) as runloop:
            devbox_id = runloop.devbox.create().id
        yield server.url, devbox_id


@pytest.fixture
def transport(served: tuple[str, str]) -> LossyTransport:
    """Return a transport to ``buntime serve``."""
    return LossyTransport(served[0])


@pytest.fixture
def runloop(transport: LossyTransport) -> Iterator[RunloopSDK]:
    """Return a client of the transport."""
    with RunloopSDK(bearer_token=KEY, transport=transport, retry_delay=0.001) as runloop:
        yield runloop


@pytest.fixture
def session(runloop: RunloopSDK, served: tuple[str, str]) -> Session:
    """Return a new session over the shared devbox."""
    return runloop.devbox.from_id(served[1]).as_session()


def test_the_calls_of_a_session_work_over_a_server(session: Session) -> None:
    """Executions, streams, processes, functions, evaluations and files."""
    result = session.execute(
        "console.log(process.env.WORD, await Bun.file('in.txt').text(), await Bun.stdin.text())",
        env={"WORD": "one"},
        files={"sub/in.txt": "two"},
        working_dir="/workspace/sub",
        stdin="three",
        check=True,
    )
    assert "one two three\n" == result.stdout
    with session.stream(command="echo out; sleep 0.01; echo err >&2; exit 3") as stream:
        assert {StreamEvent("stdout", "out\n"), StreamEvent("stderr", "err\n")} == set(stream)
    assert (3, "err\n") == (stream.result.exit_code, stream.result.stderr)
    assert 3 == session.call("(a, b) => a + b", 1, 2)
    with session.repl() as repl:
        repl.eval("let x = 20")
        assert 21 == repl.eval("x + 1")
    assert ["sub", "sub/in.txt"] == [info.path for info in session.files.list(recursive=True)]
    assert {} == session.info().metadata


def test_a_write_through_a_link_to_nothing(session: Session) -> None:
    """It is refused: it would make the file to which the link leads, also outside of the workspace."""
    session.execute(command="ln -sfn ../outside.txt dangling", check=True)
    with pytest.raises(InvalidRequestError, match="dangling"):
        session.files.write("dangling", "x")
    assert not session.execute(command="cat ../outside.txt").ok
    session.files.delete("dangling")


def test_processes_are_killed_one_by_one_or_together(session: Session) -> None:
    """Only processes of the session are; the rest of the devbox continues."""
    forever = "setInterval(() => {}, 1000)"
    one, other = session.start(forever), session.start(forever)
    assert 2 == session.info().active_processes
    assert (one.pid,) == session.kill(one.pid).pids
    assert (137, True) == (one.wait(20), other.running())
    assert (other.pid,) == session.kill_all().pids
    assert (137, 0) == (other.wait(20), session.kill(1).killed)


def test_a_lost_response_executes_nothing_twice(session: Session, transport: LossyTransport) -> None:
    """The command is sent again under its id."""
    transport.loses = True
    session.execute(command="echo ran >> count.txt")
    assert not transport.loses
    assert "ran\n" == session.files.read("count.txt")


def test_no_command_line_has_code_or_variables(session: Session, transport: LossyTransport) -> None:
    """They are in a file, which is deleted when it is read."""
    before = len(transport.requests)
    code = "console.log(await Bun.$`cat /proc/*/cmdline; ls -A ../.buntime/requests`.text())"
    output = session.execute(code, env={"TOKEN": "planted"}).stdout
    assert "planted" not in output
    assert ".json" not in output.rpartition("\0")[2]
    commands = [request.content for request in transport.requests[before:] if "execute" in request.path]
    assert commands
    assert not [command for command in commands if b"planted" in command or b"cmdline" in command]


def test_output_is_bounded(session: Session) -> None:
    """The line with the outcome is no part of it."""
    code = "console.log('x'.repeat(3000)); console.error('y'.repeat(300))"
    result = session.execute(code, max_output=1000)
    assert (True, False, "y" * 300 + "\n") == (
        result.stdout_truncated,
        result.stderr_truncated,
        result.stderr,
    )
    assert "left out" in result.stdout


def test_more_lines_than_a_response_has_are_complete(session: Session) -> None:
    """The rest of both outputs is fetched."""
    result = session.execute("for (let i = 0; i < 300; i++) { console.log(i); console.error(i); }")
    lines = "".join(f"{number}\n" for number in range(300))
    assert (lines, lines, 0) == (result.stdout, result.stderr, result.exit_code)


def test_a_check_names_the_call(session: Session) -> None:
    """The error has the result and the call."""
    with pytest.raises(ExecutionFailedError, match="execute: the execution ended with exit code 3"):
        session.execute(command="exit 3", check=True)


def test_leaving_the_block_keeps_the_devbox_and_delete_ends_it(runloop: RunloopSDK) -> None:
    """After that, every call reports an ended session."""
    devbox = runloop.devbox.create()
    with devbox.as_session() as session:
        pass
    assert "running" == devbox.get_info().status
    session.delete()
    assert "shutdown" == devbox.get_info().status
    calls: list[Any] = [session.info, session.delete, session.kill_all, session.files.list]
    for call in (*calls, lambda: session.execute("1"), lambda: session.stream("1")):
        with pytest.raises(SessionNotFoundError) as caught:
            call()
        assert (404, "session_not_found") == (caught.value.status, caught.value.code)
    with pytest.raises(SessionNotFoundError):
        runloop.devbox.from_id("dbx_unknown").as_session().info()


def test_a_recording_has_no_variable_and_replays(tmp_path: Any) -> None:
    """The files of requests are recorded without values of variables; their names do not matter."""

    def program(runloop: RunloopSDK) -> Optional[str]:
        with runloop.devbox.create() as devbox:
            session = devbox.as_session()
            return session.execute("console.log(process.env.TOKEN)", env={"TOKEN": 'planted"secret'}).stdout

    path = tmp_path / "session.json"
    with cassette(path, client=RunloopSDK, mode="record", source="local") as client:
        assert 'planted"secret\n' == program(client)
    assert "planted" not in path.read_text("utf-8")
    with cassette(path, client=RunloopSDK) as client:
        assert str(program(client)).strip()


def scripted(*outcomes: str, **prepared: Any) -> tuple[RunloopSDK, Session]:
    """Return a session over a fake whose requests have these outcomes."""
    fake = FakeTransport()
    fake.on_execute(command=PREPARE % WORKSPACE, **(prepared or {"stdout": "/usr/bin/bun\n"}))
    results = [ScriptedResult(stderr=f"{MARK}{outcome}\n") for outcome in outcomes]
    fake.on_execute(command=re.compile("run-"), results=results)
    runloop = RunloopSDK(transport=fake, max_retries=0)
    return runloop, runloop.devbox.create().as_session()


def test_a_file_that_another_process_consumed_is_sent_again() -> None:
    """At most five times."""
    consumed = '{"error": {"code": "ECONSUMED", "message": "gone"}}'
    runloop, session = scripted(consumed, consumed, '{"exit": 7}', *[consumed] * 5)
    with runloop:
        assert 7 == session.execute("1").exit_code
        with pytest.raises(APIStatusError, match="gone"):
            session.execute("1")


def test_a_devbox_without_bun_is_an_error() -> None:
    """If it cannot be installed, the error has the end of the output."""
    runloop, session = scripted(stderr="npm: not found\n", exit_code=127)
    with runloop, pytest.raises(ConfigurationError, match="npm: not found"):
        session.execute("1")


def test_a_fake_has_no_such_session() -> None:
    """The error names the fake that has."""
    with RunloopSDK(transport=FakeTransport()) as runloop, runloop.devbox.create() as devbox:
        with pytest.raises(ConfigurationError, match=r"Buntime\(transport=fake\)"):
            devbox.as_session().execute("1")
        devbox.suspend()
        assert "deep-sleep" == devbox.as_session().info().state


def test_other_errors_of_a_service_are_raised() -> None:
    """Only a devbox that has ended is an ended session."""
    fake = FakeTransport()
    with RunloopSDK(transport=fake, max_retries=0) as runloop, runloop.devbox.create() as devbox:
        for status, kind in ((400, InvalidRequestError), (500, ServerError)):
            fake.fail_next(status, call="devboxes.execute")
            with pytest.raises(kind):
                devbox.as_session().execute("1")


@pytest.mark.parametrize("size", [1, 3, 100])
def test_the_outcome_is_cut_from_the_output(size: int) -> None:
    """However it arrives; a similar line of the program is output."""
    text = f"\x1eerr\n\x1e{MARK}no\nend\x1e{MARK}" + '{"exit": 4}\nlate'
    output = Output(1000)
    pieces = [output.add("stderr", text[at : at + size]) for at in range(0, len(text), size)]
    pieces.append(output.end(ENDED))
    assert f"\x1eerr\n\x1e{MARK}no\nend\x1elate" == "".join(pieces) == output.result().stderr
    assert 4 == output.result().exit_code


def test_a_result_without_an_outcome_has_the_exit_code() -> None:
    """The end of the output that could have been one is output."""
    output = Output(1000)
    assert "err" == output.add("stderr", "err" + MARK[:5])
    assert MARK[:5] == output.end(ENDED)
    result = output.result()
    assert (137, "err" + MARK[:5], None) == (result.exit_code, result.stderr, result.execution_time)


def test_a_session_does_not_pickle(session: Session) -> None:
    """The error names what to pass."""
    import pickle

    with pytest.raises(TypeError, match="pass the id of the devbox"):
        pickle.dumps(session)


def test_a_session_is_not_renewed(session: Session, transport: LossyTransport) -> None:
    """It would be a session of buntime.sh: nothing is sent."""
    transport.requests.clear()
    with pytest.raises(ConfigurationError, match="snapshot_disk"):
        session.renew()
    assert [] == transport.requests


def test_a_local_transport_is_enough() -> None:
    """The first example of the documentation."""
    with RunloopSDK(transport=LocalTransport()) as runloop, runloop.devbox.create() as devbox:
        assert "2\n" == devbox.as_session().execute("console.log(1 + 1)").stdout
