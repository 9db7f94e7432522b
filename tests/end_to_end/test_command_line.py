"""``buntime run`` on a real sandbox, with the files beside the program."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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
