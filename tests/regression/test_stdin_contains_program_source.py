"""A program that read its standard input received its own source code."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from buntime import Buntime, Session
from buntime.transport import LocalTransport

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sessions run on Linux and macOS")

READERS = {
    "process.stdin": "let n = 0; for await (const c of process.stdin) n += c.length; console.log(n)",
    "Bun.stdin.stream": "let n = 0; for await (const c of Bun.stdin.stream()) n += c.length; console.log(n)",
    "Bun.stdin.text": "console.log((await Bun.stdin.text()).length)",
    "console lines": "let n = 0; for await (const line of console) n += line.length; console.log(n)",
    "readFileSync": "console.log(require('node:fs').readFileSync(0).length)",
    "its path": "console.log(require('node:fs').readFileSync('/dev/stdin').length)",
    "a child": "console.log(Bun.spawnSync(['cat'], { stdin: 'inherit' }).stdout.length)",
}
PADDING = f" // {'x' * 100_000}"


@pytest.fixture(params=["required", "none"])
def session(request: pytest.FixtureRequest) -> Iterator[Session]:
    """Return a session with and without isolation."""
    transport = LocalTransport(isolation=request.param)
    with Buntime(transport=transport, max_retries=0) as client, client.sessions.create() as session:
        yield session


def test_stdin_of_an_execution_is_empty(session: Session) -> None:
    """Standard input is empty, and opening it by its path does not block."""
    for code in READERS.values():
        assert "0\n" == session.execute(code + PADDING, check=True).stdout


def test_stdin_of_a_background_process_is_empty(session: Session) -> None:
    """The standard input of a background process is empty."""
    processes = [session.start(code + PADDING) for name, code in READERS.items() if name != "its path"]
    for process in processes:
        assert (0, "0\n", "") == (process.wait(20), process.logs().stdout, process.logs().stderr)


def test_stdin_of_a_function_is_empty(session: Session) -> None:
    """The standard input of a called function is empty."""
    assert 0 == session.call("async () => (await Bun.stdin.text()).length")
