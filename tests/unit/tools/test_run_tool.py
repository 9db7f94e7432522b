"""Running tools in a session of the fake."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Optional

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from buntime import Buntime, Session
from buntime.runloop import Devbox, RunloopSDK
from buntime.tools import ToolResult, mcp_tools, run_tool
from buntime.tools.definitions import TOOLS
from buntime.transport import FakeTransport, ScriptedExecution, ScriptedResult
from tests.support import effort
from tests.support.cases import in_one_test

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
# On a busy machine the generation of examples may seem slow.
_BUSY = settings(max_examples=effort.examples(50), suppress_health_check=[HealthCheck.too_slow])
TOOL_NAMES = st.sampled_from([*TOOLS, "execute_code"])
ARGUMENT_NAMES = sorted({name for tool in TOOLS.values() for name in tool.required + tool.optional})


def _fake() -> FakeTransport:
    fake = FakeTransport()
    fake.on_execute("print", stdout="out\n", stderr="err\n")
    fake.on_execute(command="fail", exit_code=3)
    fake.on_execute(command="slow", timed_out=True, exit_code=124)
    fake.on_execute(command="long", stdout="x" * 1_000_000)
    fake.on_execute(command="serve", stdout="listening\n", keeps_running=True)
    fake.on_call("(a, b) => a + b", handler=lambda a, b: a + b)
    fake.on_call("() => long", handler=lambda: "y" * 100_000)
    return fake


@pytest.fixture
def fake() -> FakeTransport:
    """Return a fake with a few scripts."""
    return _fake()


@contextmanager
def _open(fake: FakeTransport) -> Iterator[Session]:
    with Buntime(transport=fake, max_retries=0) as client, client.sessions.create() as session:
        session.files.write("src/main.ts", "console.log(1)\n")
        session.files.write("logo.png", b"\x89PNG\r\n\x1a\n\0\0")
        session.files.write("empty", "")
        yield session


@pytest.fixture
def session(fake: FakeTransport) -> Iterator[Session]:
    """Return a session with a few files."""
    with _open(fake) as session:
        yield session


OUTCOMES: list[tuple[Any, Any, bool, str]] = [
    ("execute", {"code": "print"}, False, "exit code 0\nstdout:\nout\nstderr:\nerr"),
    ("execute_code", '{"code": "print"}', False, "exit code 0\nstdout:\nout\nstderr:\nerr"),
    ("execute", {"command": "fail", "timeout": 5.0}, True, "exit code 3"),
    ("execute", {"command": "slow", "timeout": 7}, True, "reached its time limit of 7 s and was ended"),
    (
        "execute",
        {"command": "print", "code": "print"},
        True,
        "pass either code or command. The arguments of execute",
    ),
    ("execute", None, True, "pass either code or command"),
    ("execute", " ", True, "pass either code or command"),
    ("execute", {"command": "fail", "working_dir": "../.."}, True, "'../..' leads out of the workspace"),
    ("execute", {"cod": "print"}, True, "'cod' is not an argument, did you mean 'code'?"),
    ("execute", {"command": "fail", "timeout": 301}, True, "timeout must be from 1 to 300"),
    ("execute", {"command": "fail", "timeout": True}, True, "timeout must be of the type integer"),
    ("execute", {"command": "\ud800"}, True, "command has a lone surrogate at index 0"),
    ("execute", "{", True, "the arguments are not JSON"),
    ("execute", "[" * 100_000, True, "the arguments are not JSON"),
    ("execute", "[1]", True, "the arguments are not a JSON object"),
    ("execute", [], True, "the arguments are not a JSON object"),
    ("execute", {1: 2}, True, "'1' is not an argument"),
    ("unknown", {}, True, "there is no tool 'unknown'; the tools are execute, call, write, read"),
    (None, {}, True, "there is no tool 'None'"),
    ("call", {"function": "(a, b) => a + b", "arguments": [1, 2]}, False, "3"),
    ("call", {"function": "(a, b) => a + b", "arguments": ["ä", "b"], "timeout": None}, False, '"äb"'),
    ("write", {"path": "a/b.txt", "content": "ä"}, False, "wrote 2 bytes to a/b.txt"),
    ("write", {"path": "/workspace/c", "content": ""}, False, "wrote 0 bytes to c"),
    (
        "write",
        {"path": "/etc/passwd", "content": ""},
        True,
        "'/etc/passwd' leads out of the workspace; pass a",
    ),
    ("write", {"path": "a/../../b", "content": ""}, True, "'a/../../b' leads out of the workspace"),
    ("write", {"path": "/workspaces/b", "content": ""}, True, "'/workspaces/b' leads out of the workspace"),
    (
        "write",
        {"path": "a"},
        True,
        "content is missing. The arguments of write are path (string, required), ",
    ),
    ("write", {"path": "", "content": ""}, True, "'' is the workspace itself"),
    ("write", {"path": "a\0b", "content": ""}, True, "path contains a NUL character"),
    ("read", {"path": "src/../src/main.ts"}, False, "console.log(1)\n"),
    ("read", {"path": "empty"}, False, "[the file is empty]"),
    ("read", {"path": "src/main.ts", "offset": 8}, False, "log(1)\n\n[bytes 8 to 15 of 15]"),
    (
        "read",
        {"path": "src/main.ts", "offset": 99},
        False,
        "[src/main.ts has 15 bytes, and none from offset 99",
    ),
    (
        "read",
        {"path": "logo.png"},
        False,
        "logo.png is a binary file (image/png) of 10 bytes; it is not shown",
    ),
    ("read", {"path": "missing"}, True, "the session has no file 'missing'"),
    ("read", {"path": "src"}, True, "src is a folder"),
    ("list", {}, False, "empty  0\nlogo.png  10\nsrc/"),
    ("list", {"recursive": True}, False, "empty  0\nlogo.png  10\nsrc/\nsrc/main.ts  15"),
    ("list", {"path": "/workspace/src"}, False, "main.ts  15"),
    ("list", {"path": "missing"}, True, "the workspace has no folder 'missing'"),
    ("list", {"path": "empty"}, True, "the workspace has no folder 'empty'"),
    ("list", {"path": ".."}, True, "'..' leads out of the workspace"),
    ("start", {"command": "serve"}, False, "started process 1; logs returns its output"),
    ("start", {"command": "serve", "code": "print"}, True, "pass either code or command"),
    ("logs", {"process": 4}, True, "there is no process 4; those of start are: none"),
]


@in_one_test(("name", "arguments", "is_error", "text"), OUTCOMES)
def test_the_result(name: Any, arguments: Any, is_error: bool, text: str) -> None:
    """A failure is a text that names what to change."""
    with _open(_fake()) as session:
        result = run_tool(session, name, arguments)
    assert result.startswith(text)
    assert is_error == result.is_error


def test_an_empty_folder(session: Session) -> None:
    """It is not an empty text."""
    session.files.mkdir("folder")
    assert "[the folder is empty]" == run_tool(session, "list", {"path": "folder"})


def test_the_life_of_a_process(session: Session) -> None:
    """It is started, read from an offset, and killed."""
    run_tool(session, "start", {"command": "serve"})
    offsets = "[next: stdout_offset 10, stderr_offset 0]"
    running = f"process 1 is running\nstdout:\nlistening\n{offsets}"
    assert running == run_tool(session, "logs", {"process": 1})
    assert f"process 1 is running\n{offsets}" == run_tool(
        session, "logs", {"process": 1, "stdout_offset": 10, "wait": 1}
    )
    ended = f"process 1 ended with exit code 137\n{offsets}"
    assert ended == run_tool(session, "logs", {"process": 1, "stdout_offset": 10, "kill": True})


def test_long_output_is_cut_in_the_middle(session: Session) -> None:
    """The result has the number of missing bytes, and how to get them."""
    result = run_tool(session, "execute", {"command": "long"}, limit=1000)
    assert len(result) <= 1000
    assert "\n[... 999700 bytes of output left out ...]\n" in result
    assert result.endswith("[output is left out: redirect it to a file, and read that from an offset]")


def test_a_long_value_is_cut(session: Session) -> None:
    """It is not valid JSON then, which the marker shows."""
    result = run_tool(session, "call", {"function": "() => long"}, limit=1000)
    assert "\n[... 99702 bytes of output left out ...]\n" in result
    assert len(result) <= 1000


@pytest.mark.parametrize("limit", [1, 5, 100, 600, 20_000])
def test_a_long_file_is_read_in_parts(session: Session, limit: int) -> None:
    """The parts together are the file, whatever characters their ends would split."""
    content = "aä€😀\n" * 200
    session.files.write("long.txt", content)
    if limit < 600:
        assert len(run_tool(session, "read", {"path": "long.txt"}, limit=limit)) <= limit
        return
    read, offset = "", 0
    for _ in range(len(content)):
        result = run_tool(session, "read", {"path": "long.txt", "offset": offset}, limit=limit)
        part, is_part, frame = result.rpartition("\n[bytes ")
        read += part if is_part else frame
        if not is_part or "read on with offset" not in frame:
            break
        offset = int(frame.rpartition(" ")[2].rstrip("]"))
    assert content == read


def test_a_part_of_a_binary_file(session: Session) -> None:
    """It is recognized by its first bytes, and by others from an offset on."""
    session.files.write("data", b"text" * 200 + b"\xff" * 800)
    first = run_tool(session, "read", {"path": "data"}, limit=600)
    assert first.endswith("\n[bytes 0 to 200 of 1600; read on with offset 200]")
    second = run_tool(session, "read", {"path": "data", "offset": 810}, limit=600)
    assert "data is a binary file (unknown type) of 1600 bytes; it is not shown" == second


def test_a_long_list_is_cut(session: Session) -> None:
    """It has the number of the missing entries; above a thousand, their least number."""
    for number in range(60):
        session.files.write(f"many/{number:02}", "")
    result = run_tool(session, "list", {"path": "many"}, limit=500)
    assert len(result) <= 500
    assert "[44 entries are left out; list a folder of it, or use a command such as find]" in result


def test_a_very_long_list_is_one_request(fake: FakeTransport, session: Session) -> None:
    """At most a thousand entries are requested."""
    folder = fake.sessions[session.id]
    for number in range(1100):
        folder.write(f"many/{number:04}", b"")
    before = len(fake.calls)
    result = run_tool(session, "list", {"path": "many"}, limit=100_000)
    assert "0999  0\n[more entries are left out" in result
    assert 1 == len(fake.calls) - before


def test_output_is_passed_on(fake: FakeTransport, session: Session) -> None:
    """``on_output`` receives all of it, also that of a function."""
    pieces: list[str] = []
    run_tool(session, "execute", {"command": "long"}, on_output=pieces.append)
    assert 1_000_000 == sum(map(len, pieces))
    fake.on_call("() => print", handler=lambda: None, stdout="printed\n")
    pieces.clear()
    result = run_tool(session, "call", {"function": "() => print"}, on_output=pieces.append)
    assert "null\noutput:\nprinted\n" == result
    assert ["printed\n"] == pieces


def test_a_callback_that_fails(session: Session) -> None:
    """Its exception is a result, like any other."""

    def fail(_text: str) -> None:
        raise KeyError("callback")

    assert "KeyError: 'callback'" == run_tool(session, "execute", {"code": "print"}, on_output=fail)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_program_is_raised(session: Session, error: type[BaseException]) -> None:
    """The agent ends with it."""

    def stop(_text: str) -> None:
        raise error

    with pytest.raises(error):
        run_tool(session, "execute", {"code": "print"}, on_output=stop)


def test_a_lost_response(fake: FakeTransport, session: Session) -> None:
    """The model learns that the program may have run; the hints for programmers are left out."""
    fake.fail_next("dropped", call="POST /execute")
    result = run_tool(session, "execute", {"code": "print"})
    assert result.is_error
    assert result.endswith("; it may have been carried out")
    session.delete()
    ended = run_tool(session, "execute", {"code": "print"})
    assert ended.is_error
    assert "\n" not in ended


@pytest.mark.parametrize(("deadline", "least", "most"), [(5, 0, 5), (None, 30, 61)])
def test_a_tool_ends_by_its_deadline(
    fake: FakeTransport, deadline: Optional[float], least: float, most: float
) -> None:
    """Retries end a minute after the time limit, or with the client's own deadline."""
    with Buntime(transport=fake, max_retries=1000, deadline=deadline) as client:
        session = client.sessions.create()
        fake.fail_next(429, times=1000, call="POST /execute")
        before = fake.monotonic()
        assert run_tool(session, "execute", {"code": "print", "timeout": 1}).is_error
        assert least <= fake.monotonic() - before <= most


@pytest.mark.parametrize("sandbox", [None, "ses_1", object()])
def test_another_sandbox(sandbox: Any) -> None:
    """It is a result, too."""
    result = run_tool(sandbox, "list", {})
    assert f"the tools need a Session or a Devbox, not {type(sandbox).__name__}" == result
    assert result.is_error


@in_one_test("limit", [0, -1, None, "5", 2.5])
def test_a_wrong_limit(session: Session, limit: Any) -> None:
    """It is a result, too."""
    result = run_tool(session, "list", {}, limit=limit)
    assert result.startswith("limit must be")
    assert result.is_error


def test_a_result_is_text() -> None:
    """It is JSON, it pickles, and it has no error by default."""
    result = pickle.loads(pickle.dumps(ToolResult("text", is_error=True)))
    assert ("text", True, False) == (result, result.is_error, ToolResult("").is_error)
    assert '"text"' == json.dumps(result)


def _echo(execution: ScriptedExecution) -> ScriptedResult:
    program = execution.code or execution.command or ""
    return ScriptedResult(program * 3, program)


@pytest.fixture(scope="module")
def shared() -> Iterator[Session]:
    """Return a session for many examples, whose programs print themselves."""
    fake = FakeTransport()
    fake.on_execute(lambda _: True, handler=_echo)
    with Buntime(transport=fake, max_retries=0) as client, client.sessions.create() as session:
        yield session


@pytest.fixture(scope="module")
def devbox() -> Iterator[Devbox]:
    """Return a devbox for many examples, whose commands fail."""
    with RunloopSDK(transport=FakeTransport(), max_retries=0) as runloop, runloop.devbox.create() as devbox:
        yield devbox


_PLAUSIBLE = st.dictionaries(
    st.sampled_from(ARGUMENT_NAMES),
    st.sampled_from(["a", "..", "a/../..", "/etc", "x" * 3000]) | st.integers(0, 5) | st.booleans() | JSON,
    max_size=4,
)


@_BUSY
@given(st.data(), TOOL_NAMES | st.text(), _PLAUSIBLE | JSON, st.integers(1, 3000))
def test_any_call_is_a_bounded_text(
    shared: Session, data: st.DataObject, name: str, arguments: Any, limit: int
) -> None:
    """Whatever the model writes, nothing is raised and no limit exceeded."""
    if data.draw(st.booleans()):
        with suppress(ValueError):
            arguments = json.dumps(arguments)
    result = run_tool(shared, name, arguments, limit=limit)
    assert isinstance(result, ToolResult)
    assert len(result) <= limit


@_BUSY
@given(st.binary(max_size=2000) | st.text(max_size=2000), st.integers(0, 2100), st.integers(1, 1500))
def test_any_file_is_a_bounded_text(shared: Session, content: Any, offset: int, limit: int) -> None:
    """Whatever a file contains, its text is returned, or that it is binary."""
    with suppress(ValueError):  # text that UTF-8 cannot encode
        shared.files.write("file", content)
        result = run_tool(shared, "read", {"path": "file", "offset": offset}, limit=limit)
        assert len(result) <= limit
        assert not result.is_error


@_BUSY
@given(TOOL_NAMES, _PLAUSIBLE, st.integers(1, 3000))
def test_any_call_in_a_devbox_is_a_bounded_text(
    devbox: Devbox, name: str, arguments: Any, limit: int
) -> None:
    """The same for devboxes."""
    assert len(run_tool(devbox, name, arguments, limit=limit)) <= limit


def test_every_tool_is_defined_and_runs(session: Session) -> None:
    """Each name that a model may call is known to the dispatcher."""
    for definition in mcp_tools():
        assert "there is no tool" not in run_tool(session, definition["name"], {})
