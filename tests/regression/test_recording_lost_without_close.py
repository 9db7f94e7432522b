"""A program that never closed its recording ended silently, without a cassette."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from buntime import Buntime
from buntime.cassette.file import load
from buntime.cli.main import main
from buntime.transport import FakeTransport, RecordingTransport
from tests.support.cassettes import fake, replay, run
from tests.support.forks import needs_fork

PROGRAM = """
import sys
from buntime import Buntime
from buntime.transport import FakeTransport, RecordingTransport

client = Buntime(transport=RecordingTransport("x.json", FakeTransport()))
if {calls}:
    client.sessions.create()
{end}
"""


def _program(tmp_path: Path, end: str = "", *, calls: bool = True) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(end=end, calls=calls)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONWARNINGS": "always::ResourceWarning"},
    )
    return done.stderr


def test_end_of_the_program_reports_it(tmp_path: Path) -> None:
    """It is reported on stderr and as a warning, with the command that recovers the cassette."""
    stderr = _program(tmp_path)
    assert f"buntime: the recording of {tmp_path / 'x.json'} was never closed" in stderr
    assert f"buntime cassette recover {tmp_path / 'x.json.part'}" in stderr
    assert "ResourceWarning" in stderr
    assert ["x.json.part"] == os.listdir(tmp_path)


@pytest.mark.parametrize("end", ["client.close()", "client._context.caller.transport.discard()"])
def test_closed_recording_is_not_reported(tmp_path: Path, end: str) -> None:
    """A discarded recording is not reported either."""
    assert "" == _program(tmp_path, end)


def test_empty_recording_is_not_reported(tmp_path: Path) -> None:
    """An empty recording has nothing to recover, so its file is removed."""
    assert "" == _program(tmp_path, calls=False)
    assert [] == os.listdir(tmp_path)


@needs_fork
def test_forked_child_does_not_report_it(tmp_path: Path) -> None:
    """The recording belongs to the parent."""
    end = "import os\nif os.fork() == 0: sys.exit()\nos.wait(); client.close()"
    assert "" == _program(tmp_path, end)


def _record_and_forget(path: Path) -> None:
    Buntime(transport=RecordingTransport(path, FakeTransport())).sessions.create()
    gc.collect()


def test_recording_without_references_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A recording is also reported when it is garbage-collected."""
    with pytest.warns(ResourceWarning, match="was never closed"):
        _record_and_forget(tmp_path / "x.json")
    assert "was never closed" in capsys.readouterr().err


def _interrupted(path: Path) -> Path:
    """Return the file of an interrupted recording."""
    transport = RecordingTransport(path, fake())
    run_part = path.with_name(path.name + ".part")
    client = Buntime(transport=transport)
    client.sessions.create().execute("1", env={"DB_PASSWORD": "hunter2xyz"})
    content = run_part.read_bytes()
    transport.discard()
    run_part.write_bytes(content + b'[9,{"request": {"meth')
    return run_part


def test_recover_creates_a_cassette(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The recovered cassette replays everything that was recorded."""
    path = tmp_path / "x.json"
    part = _interrupted(path)
    assert 0 == main(["cassette", "recover", str(part)])
    assert "2 interactions recovered" in capsys.readouterr().out
    assert [path] == list(tmp_path.iterdir())
    assert "hunter2xyz" not in path.read_text(encoding="utf-8")
    replay(path, lambda client: client.sessions.create().execute("1", env={"DB_PASSWORD": "another"}))


def test_recover_replaces_only_on_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An existing cassette may be better, so replacing it requires ``--replace``."""
    path = tmp_path / "x.json"
    run(RecordingTransport(path, fake()), lambda client: client.sessions.create())
    before = path.read_bytes()
    part = _interrupted(path)
    assert 125 == main(["cassette", "recover", str(part)])
    assert "--replace" in capsys.readouterr().err
    assert before == path.read_bytes()
    assert 0 == main(["cassette", "recover", "--replace", str(part)])
    assert 2 == len(load(path).interactions)


@pytest.mark.skipif(os.name == "nt", reason="there are no locks")
def test_recording_in_progress_is_not_recovered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A recording in progress and a file with another suffix are both rejected."""
    transport = RecordingTransport(tmp_path / "x.json", fake())
    client = Buntime(transport=transport)
    client.sessions.create()
    assert 125 == main(["cassette", "recover", str(tmp_path / "x.json.part")])
    assert "going on" in capsys.readouterr().err
    assert 125 == main(["cassette", "recover", str(tmp_path / "x.json")])
    client.close()
