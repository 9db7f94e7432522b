"""Large files, many files, links and modes on a real Bun."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from buntime import Buntime, InvalidRequestError, Session
from buntime.helpers.ignore import expression, matcher
from buntime.transport import LocalTransport
from tests.support.folders import content_of, fill, random_names
from tests.support.serving import buntime_serve
from tests.unit.helpers.test_ignore import ROWS

pytestmark = pytest.mark.one_python

MB = 2**20
# Half of it is the bound: a copy of the file in memory exceeds that.
LARGE = 32 * MB

TRANSFER = """
import json, resource, sys
from pathlib import Path
from buntime import Buntime

def peak():
    status = Path("/proc/self/status")
    if status.exists():  # getrusage begins with the memory of who started this process
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

url, folder = sys.argv[1], Path(sys.argv[2])
with Buntime("btk_key", base_url=url) as client, client.sessions.create() as session:
    session.files.write("small", b"\\xff")
    assert session.files.read_bytes("small") == b"\\xff"
    before = peak()
    session.files.upload(folder / "large.bin", "large.bin")
    up = peak() - before
    session.files.download("large.bin", folder / "down.bin")
    print(json.dumps([up, peak() - before]))
"""


@pytest.fixture
def session() -> Iterator[Session]:
    """Return a session on a real Bun."""
    with Buntime(transport=LocalTransport()) as client, client.sessions.create() as session:
        yield session


def _same(one: Path, other: Path) -> bool:
    with open(one, "rb") as first, open(other, "rb") as second:
        while (chunk := first.read(MB)) == second.read(MB):
            if not chunk:
                return True
    return False


def test_a_large_file_in_little_memory(tmp_path: Path) -> None:
    """32 MB are uploaded and downloaded unchanged while the program grows by less than 16 MB."""
    block = random.Random(1).randbytes(MB)
    with open(tmp_path / "large.bin", "wb") as file:
        for number in range(LARGE // MB):
            file.write(number.to_bytes(8, "big") + block[8:])
    with buntime_serve("--api-key", "btk_key") as server:
        command = [sys.executable, "-c", TRANSFER, server.url, str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    up, down = json.loads(done.stdout)
    assert up < LARGE // 2
    assert down < LARGE // 2
    assert _same(tmp_path / "large.bin", tmp_path / "down.bin")


def test_thousands_of_names(session: Session, tmp_path: Path) -> None:
    """Every valid file name survives the round trip."""
    source = fill(tmp_path / "source", {name: name for name in random_names(2, 1500)})
    assert 1500 == len(session.files.upload(source, "up").transferred)
    assert 1500 == session.files.upload(source, "up").unchanged
    session.files.download("up", tmp_path / "target")
    assert content_of(source) == content_of(tmp_path / "target")


def test_the_executable_bit(session: Session, tmp_path: Path) -> None:
    """The executable bit is transferred, even if nothing else has changed."""
    source = fill(tmp_path / "source", {"run.sh": "#!/bin/sh\necho it ran\n", "plain": "x", "one": "y"})
    (source / "run.sh").chmod(0o755)
    session.files.upload(source, "up")
    assert "it ran\n" == session.execute(command="up/run.sh").stdout
    session.files.download("up", tmp_path / "target")
    assert [True, False] == [os.access(tmp_path / "target" / name, os.X_OK) for name in ("run.sh", "plain")]
    session.execute(command="chmod -x up/run.sh; chmod +x up/plain", check=True)
    assert () == session.files.download("up", tmp_path / "target").transferred
    assert [0, 0o100] == [(tmp_path / "target" / name).stat().st_mode & 0o100 for name in ("run.sh", "plain")]
    assert ("plain", "run.sh") == session.files.upload(source, "up").transferred
    assert "it ran\n" == session.execute(command="up/run.sh").stdout


def test_links_in_the_session(session: Session, tmp_path: Path) -> None:
    """A link to a file of the workspace acts as that file; any other is an error unless links are ignored."""
    session.files.write("up/real.txt", "real")
    session.execute(command="cd up && ln -s real.txt link.txt", check=True)
    session.files.download("up", tmp_path / "target")
    assert {"link.txt": b"real", "real.txt": b"real"} == content_of(tmp_path / "target")
    assert () == session.files.upload(tmp_path / "target", "up").transferred
    session.files.upload(tmp_path / "target", "up", delete=True)
    assert "real\n" == session.execute(command="rm up/real.txt; cat up/link.txt; echo").stdout
    for target in ("/etc/passwd", "missing", "."):
        session.execute(command=f"ln -sfn {target} up/odd", check=True)
        with pytest.raises(InvalidRequestError, match="'odd'"):
            session.files.download("up", tmp_path / "other")
        assert () == session.files.download("up", tmp_path / "target", ignore="odd").removed
    with pytest.raises(FileExistsError, match="'odd'"):
        session.files.upload(fill(tmp_path / "source", {"odd": "regular"}), "up")
    session.files.upload(tmp_path / "source", "up", delete=True)
    assert "regular" == session.files.read("up/odd")


def test_links_out_of_the_workspace(session: Session) -> None:
    """No call follows them; deleting one deletes the link alone."""
    session.execute(
        command="mkdir real; echo kept > real/file; ln -s real inside; ln -s /etc outside", check=True
    )
    for call in (
        lambda: session.files.read_bytes("outside/passwd"),
        lambda: session.files.write("outside/new", b"\xff"),
        lambda: session.files.stat("outside/passwd"),
        lambda: session.files.mkdir("outside/folder"),
        lambda: session.files.delete("outside/passwd"),
        lambda: session.files.move("outside/passwd", "passwd"),
        lambda: session.files.move("real/file", "outside/file"),
        lambda: session.files.list("outside", recursive=True),
    ):
        with pytest.raises(InvalidRequestError):
            call()
    assert b"kept\n" == session.files.read_bytes("inside/file")
    session.files.delete("inside", recursive=True)
    session.files.delete("outside")
    assert ["real", "real/file"] == [info.path for info in session.files.list(recursive=True)]


def test_writing_keeps_the_mode_of_a_file(session: Session) -> None:
    """Binary content keeps the mode, as text does."""
    session.files.write("run.sh", "#!/bin/sh\n")
    session.execute(command="chmod 750 run.sh", check=True)
    for content in (b"\xff", b"\xff" * (4 * MB)):
        session.files.write("run.sh", content)
        assert "750\n" == session.execute(command="stat -c %a run.sh").stdout


def test_both_sides_ignore_the_same_paths(session: Session) -> None:
    """Python and JavaScript interpret the expression of a pattern alike."""
    source = random.Random(3)
    patterns = [row[0] for row in ROWS]
    while len(patterns) < 1000:
        text = "".join(source.choices("ab-/*?[]!^.\\&~|{}+$# 😀\n", k=source.randint(1, 9)))
        try:
            expression([text])
        except ValueError:
            continue
        patterns.append(text)
    paths = [path for row in ROWS for path in (*row[1], *row[2])] + ["a", "b/", "a/b", "-", "😀", "^", "\\"]
    expressions = [expression([pattern]) for pattern in patterns]
    code = f"""
    const paths = {json.dumps(paths)};
    const expressions = {json.dumps(expressions)}.map((made) => new RegExp(`^(?:${{made}})$`, "u"));
    console.log(JSON.stringify(expressions.map((one) => paths.filter((path) => one.test(path)))));
    """
    matches = session.execute(code, check=True).json()
    for pattern, regex, matched in zip(patterns, expressions, matches):
        assert (pattern, [path for path in paths if matcher(regex)(path)]) == (pattern, matched)
