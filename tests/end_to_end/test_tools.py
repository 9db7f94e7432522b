"""The tools in a session and in a devbox on this machine."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from typing import Any, Union

import pytest

from buntime import Buntime, Session
from buntime.runloop import Devbox, RunloopSDK
from buntime.tools import ToolResult, run_tool
from buntime.tools.dispatcher import open_sandbox, run_tool_in
from buntime.transport import LocalTransport

pytestmark = pytest.mark.one_python

Sandbox = Union[Session, Devbox]
ROOTS = {"session": "/workspace", "devbox": "/home/user"}


@pytest.fixture(scope="module")
def sandboxes() -> Iterator[dict[str, Sandbox]]:
    """Return a session and a devbox."""
    transport = LocalTransport()
    with (
        Buntime(transport=transport) as client,
        RunloopSDK(transport=transport) as runloop,
        client.sessions.create() as session,
        runloop.devbox.create() as devbox,
    ):
        # Their processes start now, before the fixtures that detect leftovers.
        run_tool(session, "execute", {"code": "1"})
        run_tool(session, "start", {"command": "sleep 300"})
        run_tool(session, "logs", {"process": 1, "wait": 1})
        run_tool(session, "logs", {"process": 1, "kill": True})
        run_tool(devbox, "execute", {"command": "true"})
        yield {"session": session, "devbox": devbox}


@pytest.fixture(params=["session", "devbox"])
def sandbox(request: pytest.FixtureRequest, sandboxes: dict[str, Sandbox]) -> Sandbox:
    """Return one of them."""
    return sandboxes[request.param]


def _run(sandbox: Sandbox, name: str, **arguments: Any) -> ToolResult:
    return run_tool(sandbox, name, arguments)


def test_programs(sandbox: Sandbox) -> None:
    """Code and commands run in the workspace, or in a folder of it."""
    root = ROOTS["session" if isinstance(sandbox, Session) else "devbox"]
    code = "const n: number = 4; console.log(n); console.error(process.cwd()); process.exit(2)"
    result = _run(sandbox, "execute", code=code)
    assert f"exit code 2\nstdout:\n4\nstderr:\n{root}" == result
    assert result.is_error
    _run(sandbox, "write", path="sub/folder/file", content="")
    printed = _run(sandbox, "execute", command="pwd; ls", working_dir="sub/folder")
    assert f"exit code 0\nstdout:\n{root}/sub/folder\nfile" == printed


def test_time_limit(sandbox: Sandbox) -> None:
    """The program is ended, with what it started."""
    result = _run(sandbox, "execute", command="echo begun; sleep 300 & sleep 300", timeout=1)
    expected = "reached its time limit of 1 s and was ended; pass a longer timeout, or use start"
    # On a busy machine the time may be over before the output.
    assert result in {expected, f"{expected}\nstdout:\nbegun"}
    assert result.is_error


def test_large_output(sandbox: Sandbox) -> None:
    """The result is bounded, and has the number of missing bytes."""
    result = run_tool(sandbox, "execute", {"command": "head -c 2000000 /dev/zero | tr '\\0' x"}, limit=5000)
    assert re.search(r"\n\[\.\.\. 199\d{4} bytes of output left out \.\.\.\]\n", result)
    assert len(result) <= 5000


def test_functions(sandbox: Sandbox) -> None:
    """Values are JSON, and the output of the function follows."""
    _run(sandbox, "write", path="lib.ts", content="export const add = (a: number, b: number) => a + b")
    assert "3" == _run(sandbox, "call", function="./lib.ts#add", arguments=[1, 2])
    source = "(a) => { console.log('printed'); return [a, null] }"
    result = _run(sandbox, "call", function=source, arguments=["ä"])
    assert re.fullmatch(r'\["ä", ?null\]\noutput:\nprinted\n?', result)
    failed = _run(sandbox, "call", function="() => { throw new Error('no such row') }")
    assert failed.is_error
    assert "no such row" in failed
    ended = _run(sandbox, "call", function="() => Bun.sleepSync(300_000)", timeout=1)
    assert ended.is_error
    assert "time limit" in ended


def test_files(sandbox: Sandbox) -> None:
    """Files are written, listed and read in parts."""
    _run(sandbox, "write", path="notes/ä b.txt", content="one\ntwo ä\n")
    assert "ä b.txt  11" == _run(sandbox, "list", path="notes")
    assert "notes/\nnotes/ä b.txt  11\n" in f"{_run(sandbox, 'list', recursive=True)}\n"
    assert "one\ntwo ä\n" == _run(sandbox, "read", path="notes/ä b.txt")
    assert "two ä\n\n[bytes 4 to 11 of 11]" == _run(sandbox, "read", path="notes/ä b.txt", offset=4)
    for name, path in (
        ("read", "missing"),
        ("read", "notes"),
        ("list", "missing"),
        ("list", "notes/ä b.txt"),
    ):
        assert _run(sandbox, name, path=path).is_error


def test_paths_that_lead_out(sandbox: Sandbox) -> None:
    """Neither dots nor absolute paths nor links lead out of the workspace."""
    _run(sandbox, "execute", command="ln -sfn /etc out; ln -sf /etc/passwd file; ln -sf ../../tmp/x dangling")
    for path in ("../x", "/etc/passwd", "out/passwd", "file", "dangling", "sub/../../x"):
        read, written = _run(sandbox, "read", path=path), _run(sandbox, "write", path=path, content="x")
        assert read.is_error, path
        assert written.is_error, path
        assert "root:" not in read
    assert _run(sandbox, "list", path="out").is_error
    assert "passwd" not in _run(sandbox, "list", recursive=True)


def test_processes(sandbox: Sandbox) -> None:
    """A process is started, watched and killed with its children."""
    command = "echo ready; echo bad >&2; sleep 300 & wait"
    number = int(re.findall(r"process (\d+)", _run(sandbox, "start", command=command))[0])
    offsets = "[next: stdout_offset 6, stderr_offset 4]"
    while not (logs := _run(sandbox, "logs", process=number)).endswith(offsets):
        assert not logs.is_error, logs
    assert f"process {number} is running\nstdout:\nready\nstderr:\nbad\n{offsets}" == logs
    killed = _run(sandbox, "logs", process=number, stdout_offset=6, stderr_offset=4, kill=True, wait=20)
    assert f"process {number} ended with exit code 137\n{offsets}" == killed
    started = _run(sandbox, "start", code="console.log(process.cwd()); process.exit(3)", working_dir="/..")
    assert started.is_error
    number = int(re.findall(r"process (\d+)", _run(sandbox, "start", code="process.exit(3)"))[0])
    assert "ended with exit code 3" in _run(sandbox, "logs", process=number, wait=30)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("execute", {"command": "echo begun; sleep 300", "timeout": 290}),
        ("call", {"function": "async () => { console.log('begun'); await Bun.sleep(3e5) }", "timeout": 290}),
    ],
)
def test_interrupts(sandbox: Sandbox, name: str, arguments: dict[str, Any]) -> None:
    """A program is ended from another thread; a process of start runs on."""
    number = int(re.findall(r"process (\d+)", _run(sandbox, "start", command="sleep 300"))[0])
    begun, results = threading.Event(), []
    opened = open_sandbox(sandbox, 60, f"test-{name}")

    def run() -> None:
        results.append(run_tool_in(lambda _: opened, name, arguments, 1000, lambda _: begun.set()))

    thread = threading.Thread(target=run)
    thread.start()
    # A function in a devbox prints its output at the end.
    begun.wait(2 if name == "call" and isinstance(sandbox, Devbox) else 60)
    while thread.is_alive():
        opened.interrupt()
        thread.join(1)
    assert results[0].is_error
    assert f"process {number} is running" in _run(sandbox, "logs", process=number)
    _run(sandbox, "logs", process=number, kill=True)
