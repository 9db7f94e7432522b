"""Changes of files, as events."""

from __future__ import annotations

import itertools
import threading

import pytest

from buntime import FileEvent, InvalidRequestError, Session, SessionFileNotFoundError, WaitTimeoutError
from tests.contract.transports import FOR_HELPERS, runs_on

RUNS_ON = [*FOR_HELPERS, "http"]


def test_events(session: Session) -> None:
    """Files and folders are reported when they are created, changed and deleted."""
    session.files.write("src/a.txt", "1")
    session.files.write("other.txt", "")
    with session.files.watch("src", ignore="*.log", timeout=60) as watch:
        session.files.write("other.txt", "not watched")
        session.files.write("src/run.log", "ignored")
        session.files.write("src/a.txt", "longer")
        assert FileEvent("changed", "src/a.txt") == next(watch)
        session.files.mkdir("src/new")
        assert FileEvent("created", "src/new", "directory") == next(watch)
        session.files.move("src/a.txt", "src/new/b.txt")
        assert {FileEvent("deleted", "src/a.txt"), FileEvent("created", "src/new/b.txt")} == {
            *itertools.islice(watch, 2)
        }
        session.files.delete("src", recursive=True)
        deleted = [next(watch) for _ in range(2)]
    assert [FileEvent("deleted", "src/new/b.txt"), FileEvent("deleted", "src/new", "directory")] == deleted
    assert [] == list(watch)
    assert [] == [file.path for file in session.files.glob(".buntime/watches/*")]


def test_a_file_is_watched(session: Session) -> None:
    """Until it is deleted, and after that; nothing that changes raises an error at the time limit."""
    session.files.write("a.txt", "1")
    with session.files.watch("/workspace/a.txt", timeout=0.1) as watch:
        with pytest.raises(WaitTimeoutError, match=r"'/workspace/a.txt' for 0.1 s"):
            next(watch)
        session.files.delete("a.txt")
        assert FileEvent("deleted", "a.txt") == next(watch)
        session.files.mkdir("a.txt")
        session.files.delete("a.txt")
        session.files.write("a.txt", "2")
        assert FileEvent("created", "a.txt") == next(watch)


def test_a_missing_path(session: Session) -> None:
    """It is an error, as is one that leads outside."""
    with pytest.raises(SessionFileNotFoundError):
        session.files.watch("missing")
    with pytest.raises(InvalidRequestError):
        session.files.watch("../outside")


@runs_on("local")
def test_a_watch_waits_for_a_change_and_ends_when_it_is_closed(session: Session) -> None:
    """Of any program; a loop that waits ends with it."""
    received: list[FileEvent] = []
    is_received = threading.Event()

    def loop() -> None:
        for event in watch:
            received.append(event)
            is_received.set()

    watch = session.files.watch(ignore=".git")
    thread = threading.Thread(target=loop)
    thread.start()
    status = "git init -q 2>/dev/null && git status --porcelain; cat .buntime/.gitignore; ln -s nowhere link"
    assert "*\n" == session.execute(command=status).stdout
    assert is_received.wait(60)
    watch.close()
    watch.close()
    thread.join(15)
    assert not thread.is_alive()
    assert [FileEvent("created", "link", "other")] == received
