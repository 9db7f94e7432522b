"""``buntime run`` on a real sandbox, with the files beside the program."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from buntime.cli.main import main

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sandboxes need Linux")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project with a program that imports its neighbours, and make it the current folder."""
    (tmp_path / "src").mkdir()
    (tmp_path / "package.json").write_text('{"scripts": {"start": "bun src/main.ts"}}')
    (tmp_path / "data.txt").write_text("from a file\n")
    (tmp_path / "src" / "lib.ts").write_text("export const value = 42\n")
    (tmp_path / "src" / "main.ts").write_text(
        'import { value } from "./lib.ts"\n'
        'const text = await Bun.file("data.txt").text()\n'
        'await Bun.write("out/result.txt", `${value} ${Bun.argv.slice(2)} ${text}`)\n'
        'console.log(value, await Bun.file(".env").exists(), await Bun.file("dist/big.js").exists())\n'
        "process.exit(3)\n"
    )
    (tmp_path / ".gitignore").write_text("# secrets\n.env\ndist/\n")
    (tmp_path / ".env").write_text("KEY=1")
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "big.js").write_text("1")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("git", [True, False])
def test_a_program_with_its_neighbours(
    project: Path, git: bool, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Imports and data files are there, ignored files are not, and a result is downloaded."""
    if git:
        subprocess.run(["git", "init", "-q"], check=True)
    else:
        monkeypatch.setenv("PATH", "/nowhere")
    words = ["run", "--local", "--download", "out", "src/main.ts", "--year", "2024"]
    assert main(words) == 3
    assert capfd.readouterr().out == "42 false false\n"
    assert (project / "out" / "result.txt").read_text() == "42 --year,2024 from a file\n"


def test_a_folder_and_what_is_beside_it(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The script ``start`` of a folder runs; ``--with`` adds a folder, and ``--no-files`` uploads nothing."""
    assert main(["run", "--local", "."]) == 3
    assert capfd.readouterr().out == "42 false false\n"
    (project / "alone.ts").write_text('console.log(await Bun.file("src/lib.ts").exists())')
    assert main(["run", "--local", "--no-files", "alone.ts"]) == 0
    assert main(["run", "--local", "--no-files", "--with", "src", "alone.ts"]) == 0
    assert capfd.readouterr().out == "false\ntrue\n"


def test_too_many_files_are_refused(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The error is raised before anything is sent."""
    with open(project / "large.bin", "wb") as file:
        file.truncate(200_000_000)
    assert main(["run", "--local", "src/main.ts"]) == 125
    assert "use --no-files" in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs pseudo-terminals")
def test_on_a_terminal() -> None:
    """Output appears on a terminal as it arrives, whatever the encoding, with the exit code."""
    import pty

    controller, terminal = pty.openpty()
    code = "console.log('\\u2713'); process.exit(3)"
    command = [sys.executable, "-m", "buntime", "run", "--local", "-e", code]
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252", "LC_ALL": "C"}
    with subprocess.Popen(
        command, stdin=terminal, stdout=terminal, stderr=terminal, env=environment
    ) as program:
        os.close(terminal)
        printed = b""
        while "\u2713\r\n".encode() not in printed:
            printed += os.read(controller, 1000)
        assert program.wait() == 3
    os.close(controller)


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs pseudo-terminals")
def test_a_shell_on_a_terminal(tmp_path: Path) -> None:
    """Ctrl-C ends an evaluation and keeps the state, Ctrl-D ends the shell, and the history is stored."""
    controller, terminal = os.openpty()
    command = [sys.executable, "-m", "buntime", "shell", "--local"]
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}
    with subprocess.Popen(
        command, stdin=terminal, stdout=terminal, stderr=terminal, env=environment
    ) as shell:
        os.close(terminal)
        printed = b""

        def until(text: bytes) -> None:
            nonlocal printed
            while text not in printed:
                printed += os.read(controller, 1000)
            printed = printed.partition(text)[2]

        until(b"> ")
        os.write(controller, b"const x = 41; console.log('go' + 'ing'); Bun.sleepSync(3e5)\n")
        until(b"going")
        shell.send_signal(signal.SIGINT)
        until(b"interrupted; the state is ")
        until(b"> ")
        os.write(controller, b"20 + 22\n")
        until(b"42")
        until(b"> ")
        os.write(controller, b"\x04")
        assert shell.wait() == 0
    os.close(controller)
    assert "20 + 22\n" in (tmp_path / "buntime" / "history").read_text()


def _run(*words: str, stdin: Any = None, feed: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "buntime", *words]
    source: dict[str, Any] = {"stdin": stdin} if feed is None else {"input": feed}
    return subprocess.run(command, capture_output=True, check=False, **source)


def test_standard_input_reaches_the_program(tmp_path: Path) -> None:
    """From a pipe and from a file, byte for byte; the exit code is the program's."""
    program = tmp_path / "echo.ts"
    program.write_text("process.stdout.write(await Bun.stdin.bytes(), () => process.exit(4))")
    content = bytes(range(1, 128)) * 100
    piped = _run("run", "--local", str(program), feed=content)
    assert (piped.stdout, piped.returncode) == (content, 4)
    (tmp_path / "input").write_bytes(content)
    with open(tmp_path / "input", "rb") as file:
        assert _run("run", "--local", str(program), stdin=file).stdout == content


def test_a_program_that_waits_for_a_pipe_reaches_its_limit() -> None:
    """The pipe stays open, and the time limit ends the program."""
    reading, writing = os.pipe()
    code = "await Bun.stdin.text()"
    ended = _run("run", "--local", "--timeout", "1", "-e", code, stdin=reading)
    os.close(reading)
    os.close(writing)
    assert (ended.returncode, b"time limit" in ended.stderr) == (124, True)


def test_a_shell_keeps_its_state() -> None:
    """Statements may have several lines; errors do not end the shell."""
    lines = b"const x = 41\nfunction f() {\n  return [x, 1]\n}\nf()\nthrow new Error('no')\nx + 1\n"
    shell = _run("shell", "--local", feed=lines)
    assert shell.stdout == b"[41, 1]\n42\n"
    assert b"Error: no" in shell.stderr
