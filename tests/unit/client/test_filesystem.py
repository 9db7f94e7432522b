"""The file system for fsspec, with its own abstract tests."""

from __future__ import annotations

from typing import Any

import pytest

fsspec = pytest.importorskip("fsspec")
abstract: Any = pytest.importorskip("fsspec.tests.abstract")

from buntime import Buntime  # noqa: E402 - after the check for fsspec
from buntime.client._filesystem import SessionFileSystem  # noqa: E402
from buntime.transport import FakeTransport  # noqa: E402
from tests.support import effort  # noqa: E402

# Each takes a tenth of a second, in each of three classes.
_PATTERNS: list[Any] = abstract.copy.GLOB_EDGE_CASES_TESTS["argvalues"]
_PATTERNS[:] = effort.sample(_PATTERNS, 0, 3)

# Those of fsspec are class-scoped methods.
pytestmark = pytest.mark.filterwarnings("ignore:Class-scoped fixture")


class _Fixtures(abstract.AbstractFixtures):  # type: ignore[misc]  # fsspec has no types
    @pytest.fixture(scope="class")
    def fs(self) -> Any:
        return SessionFileSystem(Buntime(transport=FakeTransport()), skip_instance_cache=True)

    @pytest.fixture
    def fs_path(self, fs: Any) -> Any:
        return fs.client.sessions.create().id


class TestCopy(abstract.AbstractCopyTests, _Fixtures):  # type: ignore[misc]
    """Copies within a session."""


class TestGet(abstract.AbstractGetTests, _Fixtures):  # type: ignore[misc]
    """Downloads."""


class TestPut(abstract.AbstractPutTests, _Fixtures):  # type: ignore[misc]
    """Uploads."""


@pytest.fixture
def client() -> Buntime:
    """Return a client with sessions in memory."""
    return Buntime(transport=FakeTransport())


def test_a_url_is_opened(client: Buntime) -> None:
    """``fsspec.open`` finds the file system by its protocol, and reads text."""
    with client.sessions.create() as session:
        session.files.write("data/a.csv", "x,y\n1,2\n")
        with fsspec.open(f"buntime://{session.id}/data/a.csv", "rt", client=client) as file:
            assert file.read() == "x,y\n1,2\n"


def test_entries_and_changes(client: Buntime) -> None:
    """Folders are listed, and files copied between sessions, moved and deleted."""
    files = SessionFileSystem(client, skip_instance_cache=True)
    one, two = (client.sessions.create() for _ in range(2))
    files.pipe(f"{one.id}/a/b.txt", b"12345")
    assert files.ls(f"buntime://{one.id}", detail=False) == [f"{one.id}/a"]
    assert files.ls(f"{one.id}/a/b.txt")[0]["size"] == 5
    assert files.info(one.id)["type"] == "directory"
    assert files.modified(f"{one.id}/a/b.txt") is not None
    assert files.cat_file(f"{one.id}/a/b.txt", 1, -1) == b"234"
    files.cp_file(f"{one.id}/a/b.txt", f"{two.id}/c.txt")
    files.mv(f"{two.id}/c.txt", f"{two.id}/d.txt")
    files.mv(f"{two.id}/d.txt", f"{one.id}/d.txt")
    assert (two.files.list(), one.files.read("d.txt")) == ([], "12345")
    files.rm(f"{one.id}/a", recursive=True, maxdepth=2)
    files.rm_file(f"{one.id}/d.txt")
    files.mkdir(f"{one.id}/x/y")
    files.rmdir(f"{one.id}/x/y")
    files.makedirs(f"{one.id}/x", exist_ok=True)
    assert files.find(one.id, withdirs=True) in ([f"{one.id}/x"], [one.id, f"{one.id}/x"])


def test_errors(client: Buntime) -> None:
    """They are the builtin ones that fsspec's users expect."""
    files = SessionFileSystem(client, skip_instance_cache=True)
    session = client.sessions.create()
    with pytest.raises(FileNotFoundError):
        files.open(f"{session.id}/none")
    with pytest.raises(FileNotFoundError):
        files.mkdir(f"{session.id}/a/b", create_parents=False)
    files.mkdir(f"{session.id}/a")
    with pytest.raises(FileExistsError):
        files.mkdir(f"{session.id}/a")
    with pytest.raises(ValueError, match="names no session"):
        files.info("buntime://")
