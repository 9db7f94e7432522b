"""The files that an execution wrote, from one walk of the workspace, or two if others may have changed it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import attrs
import pytest

from buntime.service.executors import Execution
from buntime.service.sessions.app import Service
from buntime.service.workspace import history
from buntime.service.workspace.disk import DiskWorkspace
from buntime.service.workspace.root import WorkspaceFolder
from tests.support.clocks import ManualClock
from tests.support.executors import Item, PlayedExecutor, PlayedRuntime, outcome
from tests.support.wire_client import WireClient

Write = Callable[[Path], object]


class _CountingWorkspace(DiskWorkspace):
    """Counts its walks."""

    walks = 0

    def snapshot(self) -> dict[str, object]:
        """Count."""
        self.walks += 1
        return super().snapshot()


class _Session:
    """A session whose executions write to a folder, by functions of the test."""

    def __init__(self, root: Path, *, exclusive: bool = True) -> None:
        root.mkdir()
        self.root = root
        self.workspace = _CountingWorkspace(root, exclusive=exclusive)
        clock, executor = ManualClock(), PlayedExecutor(self._play)
        self.client = WireClient(Service(executor, lambda _: self.workspace, clock=clock), clock, executor)
        self.id = self.client.create()
        self.write: Write = lambda _: None
        self.no_process_left = True

    def _play(self, _runtime: PlayedRuntime, _execution: Execution) -> Iterator[Item]:
        self.write(self.root)
        yield attrs.evolve(outcome(), no_process_left=self.no_process_left)

    def execute(self, write: Write = lambda _: None, code: str = "1", **fields: Any) -> tuple[list[str], int]:
        """Return the files that are reported, and the number of walks."""
        self.write, self.workspace.walks = write, 0
        response = self.client.execute(self.id, code, **fields)
        return response.body["filesWritten"], self.workspace.walks


@pytest.fixture
def session(tmp_path: Path) -> Iterator[_Session]:
    """Return a session with some files, after an execution without other processes."""
    session = _Session(tmp_path / "root")
    for name in ("a", "b", "node_modules/m", "folder/c"):
        (session.root / name).parent.mkdir(exist_ok=True)
        (session.root / name).write_text(name)
    assert ([], 2) == session.execute()
    yield session
    session.client.service.close()


def _replace(root: Path) -> None:
    (root / "new").write_text("x")
    (root / "new").replace(root / "a")


@pytest.mark.parametrize(
    ("write", "paths"),
    [
        (lambda root: (root / "new").write_text("1"), ["new"]),
        (lambda root: shutil.copy2(root / "a", root / "copy"), ["copy"]),
        (lambda root: (root / "a").rename(root / "moved"), ["moved"]),
        (lambda root: os.utime(root / "a", (1, 1)), ["a"]),
        (lambda root: os.link(root / "a", root / "hard"), ["hard"]),
        (lambda root: (root / "soft").symlink_to("a"), ["soft"]),
        (_replace, ["a"]),
        (lambda root: (root / "a").write_text("longer"), ["a"]),
        (lambda root: (root / "a").unlink(), []),
        (lambda root: (root / "node_modules/m").write_text("longer"), []),
    ],
    ids=["write", "cp -p", "mv", "touch -d", "ln", "ln -s", "same size", "in place", "rm", "node_modules"],
)
def test_the_next_execution_takes_one_walk(session: _Session, write: Write, paths: list[str]) -> None:
    """It reports what it wrote, however, and the one after it does not."""
    assert (paths, 1) == session.execute(write)
    assert ([], 1) == session.execute()


def test_files_of_requests_are_not_reported(session: _Session) -> None:
    """They are written without a walk, through links too; one that the execution then changes is reported."""
    session.execute(lambda root: (root / "link").symlink_to("folder"))
    for path in ("new", "link/c", "a", "b"):
        session.client.post("/files/write", {"sessionId": session.id, "path": path, "content": "22"})
    files = [{"path": path, "content": "333"} for path in ("deep/er/d", "b")]
    assert (["a"], 1) == session.execute(_replace, files=files)


def test_a_refused_write_takes_a_walk(session: _Session) -> None:
    """Part of it may have been written."""
    assert (
        400
        == session.client.post(
            "/files/write", {"sessionId": session.id, "path": "folder", "content": ""}
        ).status
    )
    assert ([], 2) == session.execute()


def test_helpers_that_read_take_no_walk(session: _Session) -> None:
    """Nor does the execution after them take another one."""
    for operation in ("file_stat", "ping", "file_walk"):
        assert ([], 0) == session.execute(code=f'// buntime:helper {{"op": "{operation}", "path": "a"}}\n1')
    assert ([], 1) == session.execute()


@pytest.mark.parametrize("header", ['{"op": "file_move"}', '{"path": "", "op": "file_stat"}', "nonsense"])
def test_files_of_helpers_are_not_reported(session: _Session, header: str) -> None:
    """A helper takes no walk, and the execution after it takes two."""
    write = lambda root: (root / "new").write_text("1")  # noqa: E731 - as in the table
    assert ([], 0) == session.execute(write, code=f"// buntime:helper {header}\n1")
    assert ([], 2) == session.execute()


def test_files_of_background_processes_are_not_reported(session: _Session) -> None:
    """After an execution that left a process, the next one takes two walks, and the one after it one."""
    session.no_process_left = False
    assert (["new"], 1) == session.execute(lambda root: (root / "new").write_text("1"))
    session.no_process_left = True
    (session.root / "later").write_text("of the process")
    assert ([], 2) == session.execute()
    assert ([], 1) == session.execute()


def test_files_of_abandoned_executions_are_not_reported(session: _Session) -> None:
    """The caller of an execution that may still run stopped waiting."""
    body = {"sessionId": session.id, "code": "1", "stream": True}
    session.client.send("POST", "/execute", body).close()
    (session.root / "later").write_text("of the execution")
    assert ([], 2) == session.execute()


@pytest.mark.parametrize(
    ("path", "fields"),
    [("/execute", {"code": "1"}), ("/files/write", {"path": "a", "content": "1"})],
    ids=["execution", "write"],
)
def test_after_an_overlap_the_workspace_is_walked_twice(
    session: _Session, path: str, fields: dict[str, str]
) -> None:
    """What another execution or a write changed during the walk may be missing in the state."""

    def overlap(_: Path) -> None:
        session.write = lambda _: None
        assert 200 == session.client.post(path, {"sessionId": session.id, **fields}).status

    session.execute(overlap)
    assert ([], 2) == session.execute()
    assert ([], 1) == session.execute()


def test_the_state_of_many_files_is_not_kept(session: _Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes memory for as long as the session lives."""
    monkeypatch.setattr(history, "_MOST_FILES", 2)
    session.execute()
    assert ([], 2) == session.execute()


def test_other_programs_may_write_to_a_folder_of_the_user(tmp_path: Path) -> None:
    """There each execution takes two walks, and does not report the files of others."""
    session = _Session(tmp_path / "root", exclusive=False)
    session.execute()
    (session.root / "mine").write_text("of the user")
    assert ([], 2) == session.execute()
    session.client.service.close()

    chosen, temporary = WorkspaceFolder(tmp_path), WorkspaceFolder()
    assert [False, True] == [folder.workspace("ses_1").exclusive for folder in (chosen, temporary)]
    temporary.remove()
