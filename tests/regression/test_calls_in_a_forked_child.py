"""In a forked child some calls on the parent's LocalTransport failed obscurely, others ended its sessions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import pytest

from buntime import Buntime, Session
from buntime.transport import LocalTransport

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
    """Make a session on this machine that has executed something."""
    client = Buntime(transport=LocalTransport(isolation="none"), max_retries=0)
    with client, client.sessions.create() as session:
        session.execute("1")
        yield session


@pytest.mark.parametrize("name", CALLS)
def test_every_call_in_a_forked_child_is_refused(session: Session, name: str, tmp_path: Path) -> None:
    """By a RuntimeError that says what to do; the parent's session goes on as if nothing had been asked."""
    told = _in_a_fork(lambda: _failure(CALLS[name], session), tmp_path / "told")
    assert f"RuntimeError: {MESSAGE}" == told
    assert [] == session.files.list()
    assert "2\n" == session.execute("console.log(2)").stdout


def test_a_stream_is_not_read_on_in_a_forked_child(session: Session, tmp_path: Path) -> None:
    """Its events are the parent's, and none is lost to the child."""
    code = "console.log(1); while (!(await Bun.file('go').exists())) await Bun.sleep(5)"
    with session.stream(code) as stream:
        first = next(iter(stream))
        told = _in_a_fork(lambda: _failure(lambda _: next(iter(stream)), session), tmp_path / "told")
        session.files.write("go", "")
        rest = list(stream)
    assert f"RuntimeError: {MESSAGE}" == told
    assert "1\n" == "".join(event.text for event in (first, *rest))


def _failure(call: Callable[[Session], object], session: Session) -> str:
    try:
        call(session)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "nothing failed"


def _in_a_fork(function: Callable[[], str], told: Path) -> str:
    """Return what ``function`` returns in a forked child."""
    child = os.fork()
    if child == 0:
        try:
            told.write_text(function())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    return told.read_text()
