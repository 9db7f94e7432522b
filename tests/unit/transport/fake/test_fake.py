"""The fake: scripting, planned failures, its clock, and inspection."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator

import pytest

from buntime import (
    APIConnectionError,
    APITimeoutError,
    Buntime,
    InvalidResponseError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    Session,
    SessionNotFoundError,
    StreamEvent,
)
from buntime.models import OutputKind
from buntime.transport import FakeTransport, ScriptedExecution, ScriptedResult


@pytest.fixture
def fake() -> FakeTransport:
    """Return a fake."""
    return FakeTransport()


@pytest.fixture
def session(fake: FakeTransport) -> Iterator[Session]:
    """Return a session of a client that does not retry."""
    with Buntime(transport=fake, max_retries=0) as client:
        yield client.sessions.create()


class TestMatching:
    """Which execution gets which result."""

    def test_exact_code(self, fake: FakeTransport, session: Session) -> None:
        """A string is compared with all of the code."""
        fake.on_execute("1", stdout="one")
        assert "one" == session.execute("1").stdout
        with pytest.raises(ServerError):
            session.execute("11")

    def test_a_part_of_the_code(self, fake: FakeTransport, session: Session) -> None:
        """`contains=` matches anywhere in the code."""
        fake.on_execute(contains="fetch(", stdout="fetched")
        assert "fetched" == session.execute("await fetch('x')").stdout

    def test_a_regular_expression(self, fake: FakeTransport, session: Session) -> None:
        """A compiled expression is searched for in the code."""
        fake.on_execute(re.compile(r"^import .* from", re.MULTILINE), stdout="imported")
        assert "imported" == session.execute("// x\nimport a from 'a'").stdout

    def test_a_predicate(self, fake: FakeTransport, session: Session) -> None:
        """It receives the execution."""

        def has_key(execution: ScriptedExecution) -> bool:
            return "KEY" in execution.env

        fake.on_execute(has_key, stdout="with a key")
        fake.on_execute("x", stdout="without")
        assert "with a key" == session.execute("x", env={"KEY": "1"}).stdout
        assert "without" == session.execute("x").stdout

    def test_a_command(self, fake: FakeTransport, session: Session) -> None:
        """command= is exact or an expression, and matches no code."""
        fake.on_execute(command="bun test", stdout="passed")
        fake.on_execute(command=re.compile("^bun add "), stdout="added")
        assert "passed" == session.execute(command="bun test").stdout
        assert "added" == session.execute(command="bun add left-pad").stdout
        with pytest.raises(ServerError):
            session.execute("bun test")

    def test_the_first_matching_script_applies(self, fake: FakeTransport, session: Session) -> None:
        """Scripts are tried in the order they were added."""
        fake.on_execute(contains="a", stdout="first")
        fake.on_execute("a", stdout="second")
        assert "first" == session.execute("a").stdout

    def test_exactly_one_match_is_required(self, fake: FakeTransport) -> None:
        """No match, or two of them, raise an error immediately."""
        with pytest.raises(TypeError, match="exactly one"):
            fake.on_execute(stdout="x")
        with pytest.raises(TypeError, match="exactly one"):
            fake.on_execute("x", command="x")


class TestResults:
    """Results of executions."""

    def test_every_field_of_a_result(self, fake: FakeTransport, session: Session) -> None:
        """The caller reads the values of the script."""
        fake.on_execute("x", stdout="o", stderr="e", exit_code=2, execution_time=5, cpu_time=4, memory_used=3)
        result = session.execute("x")
        assert ("o", "e", 2) == (result.stdout, result.stderr, result.exit_code)
        assert (5, 4, 3) == (result.execution_time, result.cpu_time, result.memory_used)

    def test_a_time_limit(self, fake: FakeTransport, session: Session) -> None:
        """`timed_out` sets the exit code of a time-out."""
        fake.on_execute("x", stdout="so far", timed_out=True)
        result = session.execute("x")
        assert ("so far", 124, True) == (result.stdout, result.exit_code, result.timed_out)

    def test_results_in_sequence_are_used_up(self, fake: FakeTransport, session: Session) -> None:
        """After the last one the next script applies, or the error names the script that was used up."""
        fake.on_execute("x", results=[ScriptedResult("1"), ScriptedResult("2", exit_code=1)])
        assert ["1", "2"] == [session.execute("x").stdout for _ in range(2)]
        with pytest.raises(ServerError, match=r"Used up: on_execute\('x'\)"):
            session.execute("x")

    def test_a_handler_sees_the_execution(self, fake: FakeTransport, session: Session) -> None:
        """It has code, env, files, time limit, folder and session, and can change the workspace."""
        recorded = []

        def handler(execution: ScriptedExecution) -> ScriptedResult:
            recorded.append(execution)
            execution.workspace.write("copy.txt", execution.workspace.read("in/data.txt") * 2)
            return ScriptedResult(stdout="copied", exit_code=0)

        fake.on_execute("copy", handler=handler)
        result = session.execute(
            "copy", files={"in/data.txt": "ab"}, env={"A": "1"}, timeout=7, working_dir="in"
        )
        assert ("copied", ("copy.txt",)) == (result.stdout, result.files_written)
        assert "abab" == session.files.read("copy.txt")
        (execution,) = recorded
        assert ("copy", None, {"A": "1"}, {"in/data.txt": "ab"}, 7, "in", session.id) == (
            execution.code,
            execution.command,
            execution.env,
            execution.files,
            execution.timeout,
            execution.working_dir,
            execution.session_id,
        )

    def test_a_handler_may_return_text_or_nothing(self, fake: FakeTransport, session: Session) -> None:
        """Text is stdout; None is an execution without output."""
        fake.on_execute("text", handler=lambda _: "text")
        fake.on_execute("nothing", handler=lambda _: None)
        assert ("text", 0) == (session.execute("text").stdout, session.execute("nothing").exit_code)

    def test_an_error_of_a_handler_reaches_the_caller(self, fake: FakeTransport, session: Session) -> None:
        """An assertion in a handler fails the test that ran it."""

        def handler(execution: ScriptedExecution) -> None:
            assert "B" in execution.env, "B is missing"

        fake.on_execute("x", handler=handler)
        with pytest.raises(AssertionError, match="B is missing"):
            session.execute("x")
        with pytest.raises(AssertionError, match="B is missing"):
            session.stream("x")

    def test_files_are_written_as_by_the_code(self, fake: FakeTransport, session: Session) -> None:
        """`files=` appear in the workspace and in `files_written`."""
        fake.on_execute("build", files={"dist/app.js": "built"})
        assert ("dist/app.js",) == session.execute("build").files_written
        assert {"dist/app.js": b"built"} == fake.sessions[session.id].files

    def test_chunks_are_the_events_of_a_stream(self, fake: FakeTransport, session: Session) -> None:
        """They come one by one and in order, and joined in a plain result."""
        chunks: list[tuple[OutputKind, str]] = [("stdout", "a"), ("stderr", "b"), ("stdout", "c")]
        fake.on_execute("x", chunks=chunks)
        with session.stream("x") as stream:
            assert [StreamEvent(*chunk) for chunk in chunks] == list(stream)
        assert ("ac", "b") == (session.execute("x").stdout, stream.result.stderr)

    def test_exactly_one_kind_of_result_is_required(self, fake: FakeTransport) -> None:
        """Two kinds of result, or an unknown field, raise an error immediately."""
        with pytest.raises(TypeError, match="only one"):
            fake.on_execute("x", stdout="x", handler=lambda _: None)
        with pytest.raises(TypeError, match="chunks"):
            fake.on_execute("x", stdout="x", chunks=[("stdout", "y")])
        with pytest.raises(TypeError, match="stdoot"):
            fake.on_execute("x", stdoot="x")


class TestUnscripted:
    """An execution without a script."""

    def test_the_error_shows_the_line_to_add(self, fake: FakeTransport, session: Session) -> None:
        """The line can be pasted into the test; the request is not retried."""
        with pytest.raises(ServerError) as caught:
            session.execute("console.log(1)")
        assert (501, "unscripted_execution", False) == (
            caught.value.status,
            caught.value.code,
            caught.value.maybe_executed,
        )
        assert "fake.on_execute('console.log(1)', stdout=...)" in str(caught.value)

    def test_only_a_part_of_a_long_program_is_shown(self, fake: FakeTransport, session: Session) -> None:
        """The line scripts it with `contains=`."""
        with pytest.raises(ServerError, match=re.escape("fake.on_execute(contains='const a = 1;', ")):
            session.execute("\nconst a = 1;\n" + "// more\n" * 100)

    def test_unused_scripts_can_fail_a_test(self, fake: FakeTransport, session: Session) -> None:
        """The error names scripts and results that were not used."""
        fake.on_execute("used", stdout="")
        fake.on_execute("never", stdout="")
        fake.on_execute("half", results=[ScriptedResult(), ScriptedResult()])
        session.execute("used")
        session.execute("half")
        with pytest.raises(AssertionError) as caught:
            fake.assert_all_scripts_used()
        assert "'never'" in str(caught.value)
        assert "'half'" in str(caught.value)
        assert "'used'" not in str(caught.value)
        session.execute("half")
        session.execute("never")
        fake.assert_all_scripts_used()


class TestFailures:
    """Planned failures."""

    def test_a_status_with_code_and_headers(self, fake: FakeTransport, session: Session) -> None:
        """It is raised once, as the class of its status."""
        fake.fail_next(429, code="rate_limit_exceeded", message="slow down", headers={"Retry-After": "9"})
        with pytest.raises(RateLimitError, match="slow down") as caught:
            session.info()
        assert ("rate_limit_exceeded", 9.0) == (caught.value.code, caught.value.retry_after)
        assert session.id == session.info().id

    @pytest.mark.parametrize(
        ("failure", "kind", "phase"),
        [
            ("connect", APIConnectionError, "connect"),
            ("dropped", APIConnectionError, "read"),
            ("timeout", APITimeoutError, "read"),
            ("cut_body", APIConnectionError, "read"),
        ],
    )
    def test_a_connection_error(
        self, fake: FakeTransport, session: Session, failure: str, kind: type[APIConnectionError], phase: str
    ) -> None:
        """Each is raised as on a real network."""
        fake.on_execute("x", stdout="")
        fake.fail_next(failure)  # type: ignore[arg-type] # one of the literals
        with pytest.raises(kind) as caught:
            session.execute("x")
        assert (phase, phase != "connect") == (caught.value.phase, caught.value.maybe_executed)

    @pytest.mark.parametrize("failure", ["dropped", "timeout", "cut_body", 500])
    @pytest.mark.parametrize("acted", [True, False])
    def test_before_or_after_the_service_acted(
        self, fake: FakeTransport, session: Session, failure: str, acted: bool
    ) -> None:
        """`acted=` decides whether the file of the failed request exists."""
        fake.fail_next(failure, acted=acted)  # type: ignore[arg-type] # one of the literals
        with pytest.raises((APIConnectionError, ServerError)):
            session.files.write("a.txt", "a")
        assert acted == ("a.txt" in fake.sessions[session.id].files)

    def test_a_page_of_a_proxy(self, fake: FakeTransport, session: Session) -> None:
        """It is not a response of the API."""
        fake.fail_next("html")
        with pytest.raises(InvalidResponseError, match="text/html"):
            session.info()

    def test_only_the_named_call_fails(self, fake: FakeTransport, session: Session) -> None:
        """Other calls pass, and it fails ``times`` times."""
        fake.on_execute("x", stdout="")
        fake.fail_next(500, call="POST /execute", times=2)
        session.info()
        for _ in range(2):
            with pytest.raises(ServerError):
                session.execute("x")
        assert session.execute("x").ok

    def test_an_invalid_failure_is_rejected(self, fake: FakeTransport) -> None:
        """A misspelt name, a success status, or a failed connection with `acted=True`."""
        with pytest.raises(ValueError, match="conect"):
            fake.fail_next("conect")  # type: ignore[arg-type] # the mistake under test
        with pytest.raises(ValueError, match="200"):
            fake.fail_next(200)
        with pytest.raises(ValueError, match="acted"):
            fake.fail_next("connect", acted=True)

    def test_a_lost_create_makes_one_session(self, fake: FakeTransport) -> None:
        """The retry has the idempotency key of the first attempt, so the service does not repeat it."""
        with Buntime(transport=fake) as client:
            fake.fail_next("dropped")
            session = client.sessions.create()
            assert [session.id] == list(fake.sessions)
            keys = {call.headers["Idempotency-Key"] for call in fake.calls}
            assert (2, 1) == (len(fake.calls), len(keys))


class TestTime:
    """The fake's own clock."""

    def test_advance_lets_sessions_age(self, fake: FakeTransport, session: Session) -> None:
        """Idle after 5 minutes, asleep after 30, gone at the end of the ttl."""
        states = []
        for seconds in (0, 300, 1500):
            fake.advance(seconds)
            states.append(session.info().state)
        assert ["active", "idle", "deep-sleep"] == states
        fake.advance(86400)
        with pytest.raises(SessionNotFoundError):
            session.info()
        assert {} == fake.sessions

    def test_retries_take_no_real_time(self, fake: FakeTransport) -> None:
        """The client's back-off moves the clock instead."""
        with Buntime(transport=fake, max_retries=3) as client:
            fake.fail_next(503, times=3, headers={"Retry-After": "50"})
            client.sessions.create()
            assert 150.0 == fake.monotonic()
            assert [503, 503, 503, 200] == [call.status for call in fake.calls]

    def test_a_timeout_advances_the_clock(self, fake: FakeTransport) -> None:
        """The time counts towards a deadline."""
        with Buntime(transport=fake, timeout=10, deadline=25, max_retries=5, retry_delay=0) as client:
            fake.fail_next("timeout", times=5, acted=False)
            with pytest.raises(APITimeoutError):
                client.sessions.create()
            assert 25.0 == fake.monotonic()
            assert 3 == len(fake.calls)

    def test_time_never_goes_back(self, fake: FakeTransport) -> None:
        """A negative step raises an error."""
        with pytest.raises(ValueError, match="back"):
            fake.advance(-1)


class TestInside:
    """Requests and sessions, for a test to inspect and set up."""

    def test_calls_have_the_fields_of_the_request(self, fake: FakeTransport, session: Session) -> None:
        """Method, path, query, body and status of each; the repr has no key."""
        session.files.write("a.txt", "content")
        session.files.list("")
        created, written, listed = fake.calls
        assert "POST /sessions/create" == str(created)
        assert {"sessionId": session.id, "path": "a.txt", "content": "content"} == written.json
        assert (session.id, None, 200) == (listed.query["sessionId"], listed.json, listed.status)

    def test_calls_hide_the_key(self, fake: FakeTransport) -> None:
        """The repr shows that there was a key, but not the key."""
        with Buntime("btk_secret_of_the_test", transport=fake) as client:
            client.sessions.create()
            assert "btk_secret_of_the_test" not in repr(fake.calls)
            assert "Bearer btk_secret_of_the_test" == fake.calls[0].headers["authorization"]

    def test_sessions_can_be_set_up_and_inspected(self, fake: FakeTransport) -> None:
        """Files can be added; metadata and state can be read."""
        with Buntime(transport=fake) as client:
            session = client.sessions.create(metadata={"user": "u1"})
            inside = fake.sessions[session.id]
            inside.write("text.txt", "text")
            inside.write("bytes.bin", b"\xff\x00")
            assert "text" == session.files.read("text.txt")
            assert {"bytes.bin": b"\xff\x00", "text.txt": b"text"} == inside.files
            assert ({"user": "u1"}, "active") == (inside.metadata, inside.state)
            assert session.id in repr(inside)

    def test_a_plan_has_its_limits(self) -> None:
        """The limits are those of the model, with code and details."""
        with Buntime(transport=FakeTransport(plan="free")) as client:
            for _ in range(10):
                client.sessions.create()
            with pytest.raises(PermissionDeniedError) as caught:
                client.sessions.create()
            assert ("concurrent_sessions", 10) == (
                caught.value.details["limit"],
                caught.value.details["max"],
            )
            assert client.rate_limit is not None
            assert 100 == client.rate_limit.limit

    def test_handlers_may_wait_for_each_other(self, fake: FakeTransport, session: Session) -> None:
        """Concurrent executions are not serialized."""
        both = threading.Barrier(2, timeout=60)
        fake.on_execute("x", handler=lambda _: str(both.wait() in {0, 1}))
        threads = [threading.Thread(target=session.execute, args=("x",)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert 2 == sum(call.status == 200 for call in fake.calls if call.path == "/execute")


@pytest.mark.parametrize("is_chunks", [False, True])
def test_a_large_piece_arrives_in_several(is_chunks: bool) -> None:
    """As from a pipe; the result has all of it."""
    fake, text = FakeTransport(), "0123456789" * 20_000
    if is_chunks:
        fake.on_execute("1", chunks=[("stdout", text), ("stderr", "short")])
    else:
        fake.on_execute("1", stdout=text, stderr="short")
    with Buntime(transport=fake) as client, client.sessions.create() as session:
        with session.stream("1") as stream:
            events = list(stream)
        executed = session.execute("1")
    assert text == "".join(event.text for event in events if event.kind == "stdout")
    assert ["short"] == [event.text for event in events if event.kind == "stderr"]
    assert 65_536 == max(len(event.text) for event in events)
    for result in (stream.result, executed):
        assert (text, "short") == (result.stdout, result.stderr)
