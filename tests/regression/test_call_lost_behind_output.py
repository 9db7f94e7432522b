"""A function that printed much and called ``process.exit`` could end without a result."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import pytest

from buntime import Buntime, ExecutionFailedError, Session
from buntime.transport import LocalTransport
from tests.support.cases import in_one_test

_PRINTS = ".stdout.write('x'.repeat(5e6)); return 7 }"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sessions run on Linux and macOS")


@pytest.fixture(scope="module", autouse=True)
def session() -> Iterator[Session]:
    """Create a session whose output is not read before the function ends."""
    with (
        Buntime(transport=LocalTransport(isolation="none"), max_retries=0) as client,
        client.sessions.create() as session,
    ):
        session.execute("1")
        yield session


def test_the_exit_is_reported_behind_any_output(session: Session) -> None:
    """More than a pipe holds, and not read yet."""
    for _ in range(5):
        with pytest.raises(ExecutionFailedError, match=r"process\.exit\(3\)"):
            session.call("() => { process.stdout.write('x'.repeat(5e6)); process.exit(3) }")


@in_one_test(
    "function",
    [
        "() => { process" + _PRINTS,
        "() => { globalThis['pro' + 'cess']" + _PRINTS,
        "async () => { (await import('node:process'))" + _PRINTS,
        "() => { require('node:process')" + _PRINTS,
        "() => { (0, eval)('pro' + 'cess')" + _PRINTS,
        "() => { (() => 1).constructor('return pro' + 'cess')()" + _PRINTS,
        "() => { pr\\u006fcess" + _PRINTS,
    ],
    at_once=True,
)
def test_the_value_is_reported_behind_any_output(session: Session, function: str) -> None:
    """No output is lost, by whatever name the function reaches the stream."""
    printed: list[str] = []

    def receive(text: str) -> None:
        if not printed:
            time.sleep(0.5)  # meanwhile the pipe is full, and the function has returned
        printed.append(text)

    assert 7 == session.call(function, on_stdout=receive)
    assert 5_000_000 == sum(map(len, printed))
