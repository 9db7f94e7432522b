"""The commands for sessions, files and devboxes, against the fake."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from buntime import Buntime
from buntime.cli.main import main
from buntime.transport import FakeTransport

Capture = pytest.CaptureFixture[str]


def _json(capsys: Capture) -> Any:
    return json.loads(capsys.readouterr().out)


def _created(capsys: Capture) -> str:
    assert main(["session", "create", "--ttl", "600", "--metadata", "team=data"]) == 0
    return capsys.readouterr().out.strip()


def test_a_bare_command_line_prints_help(capsys: Capture) -> None:
    """It has examples."""
    assert main([]) == 0
    assert "examples:\n  buntime run" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "suggestion"),
    [
        (["rnu", "a.ts"], "did you mean run?"),
        (["session", "creat"], "did you mean create?"),
        (["run", "--tiemout=5", "a.ts"], "did you mean --timeout?"),
        (["ps", "--sesion", "x"], "did you mean --session?"),
    ],
)
def test_a_misspelt_word_is_named(words: list[str], suggestion: str, capsys: Capture) -> None:
    """The error of the command has the nearest word."""
    with pytest.raises(SystemExit):
        main(words)
    assert suggestion in capsys.readouterr().err


def test_the_life_of_a_session(fake: FakeTransport, capsys: Capture) -> None:
    """A session is created, shown and deleted, as text and as JSON."""
    session = _created(capsys)
    assert list(fake.sessions) == [session]
    main(["session", "info", session])
    assert "state     " in capsys.readouterr().out
    main(["session", "info", "--json", session])
    assert _json(capsys)["metadata"] == {"team": "data"}
    assert main(["session", "delete", session, "--json"]) == 0
    assert _json(capsys) == {"deleted": [session]}
    assert fake.sessions == {}


def test_exec_uses_a_new_session(fake: FakeTransport, capsys: Capture) -> None:
    """One word is a line of the shell, several are a program and its arguments; the session is deleted."""
    fake.on_execute(lambda _: True, handler=lambda execution: execution.command or "")
    assert main(["exec", "--env", "A=1", "--", "ls | wc"]) == 0
    assert main(["exec", "echo", "a b"]) == 0
    assert capsys.readouterr().out == "ls | wcecho 'a b'"
    assert fake.sessions == {}


def test_files_of_a_session(fake: FakeTransport, tmp_path: Path, monkeypatch: Any, capsys: Capture) -> None:
    """Files are uploaded, listed, printed, downloaded, synchronized and deleted."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BUNTIME_SESSION", _created(capsys))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text("hello\n")
    main(["files", "put", "data", "--to", "in"])
    main(["files", "ls", "-r", "in"])
    assert capsys.readouterr().out.split()[-1] == "in/data/a.txt"
    main(["files", "ls", "--json", "in/data"])
    assert [entry["path"] for entry in _json(capsys)] == ["in/data/a.txt"]
    main(["files", "cat", "in/data/a.txt"])
    assert capsys.readouterr().out == "hello\n"
    main(["files", "get", "in/data", "--to", "copy"])
    assert (tmp_path / "copy" / "data" / "a.txt").read_text() == "hello\n"
    (tmp_path / "data" / "b.txt").write_text("b")
    main(["files", "sync", "data", "in/data", "--delete"])
    assert capsys.readouterr().out == "1 transferred, 0 deleted\n"
    main(["files", "rm", "in/data/a.txt"])
    main(["files", "sync", "data", "in/data", "--down", "--delete", "--ignore", "*.log"])
    assert not (tmp_path / "data" / "a.txt").exists()
    assert main(["files", "rm", "in"]) == 125
    assert main(["files", "rm", "-r", "in"]) == 0


def test_a_command_needs_a_session(fake: FakeTransport, capsys: Capture) -> None:
    """The error names the option and the variable."""
    with pytest.raises(SystemExit):
        main(["files", "ls"])
    assert "--session ID, or set BUNTIME_SESSION" in capsys.readouterr().err
    assert fake.calls == []


@pytest.mark.parametrize(
    "words",
    [["session", "create"], ["session", "attach", "x"], ["ps", "--session", "x"], ["devbox", "create"]],
)
def test_local_sessions_end_with_their_command(words: list[str], capsys: Capture) -> None:
    """The error says how to keep them."""
    assert main([*words, "--local"]) == 125
    assert "start `buntime serve`" in capsys.readouterr().err


def test_processes_of_a_session(fake: FakeTransport, capsys: Capture) -> None:
    """A session without processes has an empty list; an unknown number is an error."""
    session = _created(capsys)
    main(["ps", "--session", session, "--json"])
    assert _json(capsys) == []
    assert main(["logs", "--session", session, "1"]) == 125
    assert "has no background process 1" in capsys.readouterr().err
    main(["kill", "--session", session, "--all", "--json"])
    assert _json(capsys) == {"killed": []}


def test_running_processes_of_a_session(
    fake: FakeTransport, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """They are listed with their states, their output is printed, and they are killed."""
    fake.on_execute(command="server", stdout="up\n", keeps_running=True)
    fake.on_execute(command="job", stdout="done\n", stderr="warning\n", exit_code=3)
    monkeypatch.setenv("BUNTIME_SESSION", _created(capsys))
    with Buntime() as client:
        session = client.sessions.attach(os.environ["BUNTIME_SESSION"])
        server = session.start(command="server")
        session.start(command="job").wait()
    main(["ps"])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["NUMBER", "PID", "STATE"]
    assert [" ".join(line[2:]) for line in lines[1:]] == ["running", "exit code 3"]
    for words in (["logs", "2"], ["logs", "-f", "2"]):
        assert main(words) == 0
        assert capsys.readouterr() == ("done\n", "warning\n")
    main(["logs", "-f", "--json", "2"])
    assert _json(capsys) == {"stdout": "done\n", "stderr": "warning\n", "exit_code": 3}
    main(["kill", str(server.pid)])
    assert capsys.readouterr().out == f"{server.pid}\n"


def test_devboxes(fake: FakeTransport, tmp_path: Path, capsys: Capture) -> None:
    """The daily calls of Runloop."""
    fake.on_execute(command="anything", stdout="hi\n", exit_code=4)
    assert main(["devbox", "create", "--name", "box", "--metadata", "a=b"]) == 0
    devbox = capsys.readouterr().out.strip()
    assert main(["devbox", "exec", "--devbox", devbox, "--", "anything"]) == 4
    assert capsys.readouterr().out == "hi\n"
    main(["devbox", "list", "--json"])
    assert [view["id"] for view in _json(capsys)] == [devbox]
    (tmp_path / "a.txt").write_text("content")
    assert main(["devbox", "write", devbox, "a.txt", str(tmp_path / "a.txt")]) == 0
    main(["devbox", "read", devbox, "a.txt"])
    assert capsys.readouterr().out == "content"
    for name in ("suspend", "resume", "logs"):
        assert main(["devbox", name, devbox]) == 0
    main(["devbox", "shutdown", devbox])
    assert "shutdown" in capsys.readouterr().out
    assert main(["devbox", "exec", "anything"]) == 4
    main(["devbox", "list", "--status", "running"])
    assert capsys.readouterr().out == "hi\nID  STATUS  NAME\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["create", "--blueprint", "a", "--snapshot", "b"], "--blueprint and --snapshot exclude each other"),
        (["exec", "--"], "give a command after --"),
    ],
)
def test_an_invalid_devbox_command(words: list[str], message: str, capsys: Capture) -> None:
    """It is an error of the command line."""
    with pytest.raises(SystemExit):
        main(["devbox", *words])
    assert message in capsys.readouterr().err


def test_an_existing_devbox_is_not_local(fake: FakeTransport, capsys: Capture) -> None:
    """The error says how to keep it."""
    assert main(["devbox", "info", "--local", "dbx_1"]) == 125
    assert "start `buntime serve`, unset RUNLOOP_TRANSPORT" in capsys.readouterr().err
    assert fake.calls == []


def test_the_progress_of_a_transfer(
    fake: FakeTransport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """On a terminal it is a line, which is removed at the end; nothing is printed for an empty folder."""
    monkeypatch.setitem(sys.modules, "rich.console", None)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BUNTIME_SESSION", _created(capsys))
    (tmp_path / "data").mkdir()
    (tmp_path / "empty").mkdir()
    for number in range(3):
        (tmp_path / "data" / f"{number}.txt").write_text("x" * 100)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    for words in (["put", "data"], ["get", "data", "--to", "copy"], ["sync", "data", "other"]):
        assert main(["files", *words]) == 0
        err = capsys.readouterr().err
        assert f"[{'#' * 30}] 0.0 of 0.0 MB" in err
        assert err.endswith("\r\x1b[K")
    main(["files", "sync", "empty", "nothing"])
    assert capsys.readouterr().err == ""
    main(["files", "ls", "nothing"])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_closed_descriptors(closed: int) -> None:
    """A command works without one of its standard streams, and keeps its exit code."""
    code = f"import os, sys; os.close({closed}); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    command = [sys.executable, "-c", code, "-m", "buntime", "session", "info", "x"]
    environment = {**os.environ, "BUNTIME_TRANSPORT": "local"}
    assert subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 125


def test_results_as_json(fake: FakeTransport, capsys: Capture) -> None:
    """``run`` and ``exec`` print the result at the end, and keep the exit code."""
    fake.on_execute(lambda _: True, stdout="out", stderr="problem", exit_code=3)
    for words in (["exec", "--json", "ls"], ["run", "--json", "-e", "1"]):
        assert main(words) == 3
        result = _json(capsys)
        assert (result["stdout"], result["stderr"], result["exit_code"]) == ("out", "problem", 3)


def test_text_of_the_command_line_is_utf8(fake: FakeTransport, capsys: Capture) -> None:
    """Also if Python decoded it as ASCII."""
    fake.on_execute(command="echo '\u00fc'", stdout="command")
    fake.on_execute("'\u00fc'", stdout="code")
    assert main(["exec", "--env", "A=\udcc3\udcbc", "--", "echo '\udcc3\udcbc'"]) == 0
    assert main(["run", "-e", "'\udcc3\udcbc'"]) == 0
    assert capsys.readouterr().out == "commandcode"


def test_a_process_that_does_not_exist(fake: FakeTransport, capsys: Capture) -> None:
    """``kill`` reports it."""
    session = _created(capsys)
    assert main(["kill", "--session", session, "99999"]) == 1
    assert "no process has ended" in capsys.readouterr().err
