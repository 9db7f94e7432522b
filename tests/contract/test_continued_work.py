"""One piece of work that uses everything that keeps state, on each kind of transport."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fsspec  # type: ignore[import-untyped]  # it has no types

from buntime import Buntime, FileEvent, Session, SessionPool
from tests.contract.background import LINES
from tests.contract.evaluations import EVALUATIONS
from tests.contract.functions import ECHO

RUNS_ON = ("fake", "local", "http", "recorded_fake", "replayed_fake", "recorded_local", "replayed_local")


def test_state_input_and_files(session: Session) -> None:
    """A REPL, standard input, and every way to change, read and watch files."""
    files = session.files
    with session.repl() as repl:
        assert [value for _, value in EVALUATIONS] == [repl.eval(source) for source, _ in EVALUATIONS]
        assert [1] == repl.call(ECHO, 1)
    assert "read a\n" == session.execute(LINES, stdin="a").stdout
    with session.start(LINES, stdin=True) as process:
        process.write("b")
        process.close_stdin()
        assert "read b\n" == "".join(event.text for event in process.follow())
    with files.watch(timeout=60) as changes:
        with files.open("a/b.txt", "w") as file:
            file.write("é\n")
        assert FileEvent("created", "a", "directory") == next(changes)
        assert FileEvent("created", "a/b.txt") == next(changes)
    files.copy("a/b.txt", "a/c.txt")
    files.append("a/c.txt", "more")
    files.chmod("a/c.txt", 0o600)
    assert "é\nmore" == (files.path("a") / "c.txt").read_text()
    assert ["a/b.txt", "a/c.txt"] == [file.path for file in files.glob("**/*.txt")]
    assert [("", ["a"], []), ("a", [], ["b.txt", "c.txt"])] == list(files.walk())
    assert "<FileView a/b.txt, 3 bytes>" == repr(files.show("a/b.txt"))


def test_snapshots_urls_and_rows(client: Buntime, session: Session, tmp_path: Path) -> None:
    """Files go on in other sessions, are opened by their URLs, and rows run over a pool."""
    session.files.write("a/b.txt", "1")
    assert 1 == session.snapshot(tmp_path / "saved.tar").files
    session.files.delete("a", recursive=True)
    assert 1 == session.restore(tmp_path / "saved.tar").files
    with client.sessions.create(snapshot=tmp_path / "saved.tar") as other, other.renew() as renewed:
        for each in (session, other, renewed):
            url: Any = fsspec.open(f"buntime://{each.id}/a/b.txt", client=client, skip_instance_cache=True)
            with url as file:
                assert b"1" == file.read()
    with SessionPool(client, size=1) as pool, pool.executor() as executor:
        assert [[[1]], [[2]]] == [[outcome.value] for outcome in pool.call(ECHO, [1, 2], batch=2)]
        assert [3] == executor.submit(lambda session: session.call(ECHO, 3)).result()
