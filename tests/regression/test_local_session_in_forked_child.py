"""In a forked child, calls on the parent's LocalTransport failed obscurely or ended its sessions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import pytest

from buntime import Buntime, Session
from buntime.transport import LocalTransport
from tests.support.cases import in_one_test

CALLS: dict[str, Callable[[Session], object]] = {
    "execute": lambda session: session.execute("1"),
    "stream": lambda session: session.stream("1"),
    "write": lambda session: session.files.write("a.txt", "child"),
    "list": lambda session: session.files.list(),
    "info": lambda session: session.info(),
    "kill": lambda session: session.kill_all(),
    "delete": lambda session: session.delete(),
}

MESSAGE = "this LocalTransport belongs to the process that made it; make one in this process"

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]


@pytest.fixture
def session() -> Iterator[Session]:
    """Create a session on this machine that has executed something."""
    client = Buntime(transport=LocalTransport(isolation="none"), max_retries=0)
    with client, client.sessions.create() as session:
        session.execute("1")
        yield session


@in_one_test("name", CALLS)
def test_every_call_in_a_forked_child_raises_an_error(session: Session, name: str, tmp_path: Path) -> None:
    """Each call raises a RuntimeError with advice, and the parent's session is unaffected."""
    outcome = _in_a_fork(lambda: _failure(CALLS[name], session), tmp_path / "outcome")
    assert f"RuntimeError: {MESSAGE}" == outcome
    assert [] == session.files.list()
    assert "2\n" == session.execute("console.log(2)").stdout


def test_a_forked_child_cannot_continue_a_stream(session: Session, tmp_path: Path) -> None:
    """The events belong to the parent, and none is lost to the child."""
    code = "console.log(1); while (!(await Bun.file('go').exists())) await Bun.sleep(5)"
    with session.stream(code) as stream:
        first = next(iter(stream))
        outcome = _in_a_fork(lambda: _failure(lambda _: next(iter(stream)), session), tmp_path / "outcome")
        session.files.write("go", "")
        rest = list(stream)
    assert f"RuntimeError: {MESSAGE}" == outcome
    assert "1\n" == "".join(event.text for event in (first, *rest))


def _failure(call: Callable[[Session], object], session: Session) -> str:
    try:
        call(session)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "nothing failed"


def _in_a_fork(function: Callable[[], str], file: Path) -> str:
    """Return the result of ``function`` in a forked child."""
    child = os.fork()
    if child == 0:
        try:
            file.write_text(function())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    return file.read_text()
