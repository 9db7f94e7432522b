"""``buntime run`` and ``buntime shell`` on the fake: the program, its files and its standard input."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from buntime.cli.main import main
from buntime.errors import JavaScriptError
from buntime.transport import FakeTransport, ScriptedExecution

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch
Runs = list[tuple[Any, list[str]]]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: Patch) -> Path:
    """Return an empty current folder whose parent is not uploaded."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def runs(fake: FakeTransport) -> Runs:
    """Return the commands of the fake with the files of their sessions; each writes ``out/a.txt``."""
    executions: Runs = []

    def run(execution: ScriptedExecution) -> None:
        executions.append((execution.command, sorted(execution.workspace.snapshot())))
        execution.workspace.write("out/a.txt", b"result")

    fake.on_execute(lambda _: True, handler=run)
    return executions


@pytest.mark.parametrize(
    ("package", "command"),
    [
        ({"scripts": {"start": "bun x.ts"}}, "bun run --silent start 1"),
        ({"module": "lib/x.ts", "main": "y.ts"}, "bun run ./lib/x.ts 1"),
        ({"module": 5, "main": "nowhere.ts"}, "bun run ./index.ts 1"),
        (None, "bun run ./index.ts 1"),
    ],
)
def test_the_program_of_a_folder(package: Any, command: str, project: Path, runs: Runs) -> None:
    """It is the script ``start``, the main file, or the index."""
    (project / "lib").mkdir()
    for name in ("lib/x.ts", "index.ts"):
        (project / name).write_text("1")
    if package is not None:
        (project / "package.json").write_text(json.dumps(package))
    assert main(["run", ".", "1"]) == 0
    (run,) = runs
    assert run[0] == command
    assert {"index.ts", "lib/x.ts"} <= {*run[1]}


def test_a_folder_without_a_program(project: Path, fake: FakeTransport, capsys: Capture) -> None:
    """A package.json of another kind has none."""
    (project / "package.json").write_text("[]")
    assert main(["run", "."]) == 125
    assert (
        "neither a package.json with a start script or a main file, nor an index.ts"
        in capsys.readouterr().err
    )
    assert fake.calls == []


def test_files_beside_the_program(project: Path, runs: Runs) -> None:
    """The nearest folder with a package.json is uploaded; results are downloaded."""
    (project / "app" / "src").mkdir(parents=True)
    (project / "extra").mkdir()
    for name in ("app/package.json", "app/src/main.ts", "app/[x].log", "app/x.log", "extra/data"):
        (project / name).write_text("1")
    (project / "app" / ".gitignore").write_text("# logs\n[[]x].log\n\n/\n")
    assert main(["run", "--with", "extra", "--download", "out", "app/src/main.ts"]) == 0
    files = [".gitignore", "extra/data", "package.json", "src/main.ts", "x.log"]
    assert runs == [("bun run ./src/main.ts", files)]
    assert (project / "out" / "a.txt").read_text() == "result"


def test_a_shared_folder_is_not_uploaded(project: Path, runs: Runs, monkeypatch: Patch) -> None:
    """A program in the home folder runs alone, and below it with its own folder."""
    monkeypatch.setenv("HOME", str(project))
    (project / "package.json").write_text("{}")
    (project / "other.txt").write_text("private")
    (project / "sub").mkdir()
    for name in ("a.ts", "sub/b.ts"):
        (project / name).write_text("1")
        assert main(["run", name]) == 0
    assert runs == [("bun run ./a.ts", ["a.ts"]), ("bun run ./b.ts", ["b.ts"])]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.py"], "a.py is neither JavaScript nor TypeScript by its name: .cjs, .cts, .js"),
        (["--with", "missing", "a.ts"], "--with missing: there is no such file or folder"),
        (["large"], "use --no-files, --with PATH, or a .gitignore"),
    ],
)
def test_invalid_paths(
    words: list[str], message: str, project: Path, fake: FakeTransport, capsys: Capture
) -> None:
    """The error names the option or the file, before anything is sent."""
    (project / "a.ts").write_text("1")
    if words == ["large"]:
        (project / "large").mkdir()
        (project / "large" / "index.ts").write_text("1")
        with open(project / "large" / "data", "wb") as file:
            file.truncate(100_000_001)
    assert main(["run", *words]) == 125
    assert message in capsys.readouterr().err
    assert fake.calls == []


def test_a_piece_of_code_with_arguments(runs: Runs) -> None:
    """Code with arguments becomes a file."""
    main(["run", "-e", "Bun.argv", "--", "a b"])
    assert runs == [("bun run ./eval.ts 'a b'", ["eval.ts"])]


@pytest.fixture
def stdin(monkeypatch: Patch) -> Iterator[Callable[[int], None]]:
    """Return a function that makes a descriptor standard input."""
    files: list[Any] = []

    def replace(descriptor: int) -> None:
        files.append(os.fdopen(descriptor, encoding="utf-8"))
        monkeypatch.setattr(sys, "stdin", files[-1])

    yield replace
    for file in files:
        file.close()


def test_a_pipe_reaches_a_program(fake: FakeTransport, stdin: Callable[[int], None], capsys: Capture) -> None:
    """It is passed on while the program runs."""
    fake.on_execute("read()", handler=lambda run: f"<{run.stdin.decode()}>")
    reading, writing = os.pipe()
    os.write(writing, b"piped")
    os.close(writing)
    stdin(reading)
    assert main(["run", "--timeout", "60", "-e", "read()"]) == 0
    assert capsys.readouterr().out == "<piped>"


def test_a_file_reaches_a_program(
    fake: FakeTransport, stdin: Callable[[int], None], tmp_path: Path, capsys: Capture
) -> None:
    """All of it is there when the program starts."""
    fake.on_execute("read()", handler=lambda run: f"<{run.stdin.decode()}>")
    (tmp_path / "input").write_text("content")
    stdin(os.open(tmp_path / "input", os.O_RDONLY))
    assert main(["run", "-e", "read()"]) == 0
    assert capsys.readouterr().out == "<content>"


class _Terminal(io.StringIO):
    """A terminal whose user types Ctrl-C for each line ``^C``."""

    def isatty(self) -> bool:
        return True

    def readline(self, size: int = -1) -> str:  # type: ignore[override]  # as StringIO has it
        line = super().readline()
        if line == "^C\n":
            raise KeyboardInterrupt
        return line


@pytest.fixture
def scripted(fake: FakeTransport) -> FakeTransport:
    """Return a fake with values of statements and errors."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    values = {"x": 1, "none()": None, "s": "é", "b": b"\x00", "long": ["item"] * 20, "f(\n1)\n": 7}
    for source, value in values.items():
        fake.on_call(source, returns=value)
    fake.on_call("fail()", raises=JavaScriptError("no"))
    fake.on_call(lambda source: source.startswith("f("), raises=JavaScriptError("Unexpected end of file"))
    fake.on_call("wait()", handler=interrupt)
    return fake


def test_lines_of_a_shell(scripted: FakeTransport, monkeypatch: Patch, capsys: Capture) -> None:
    """Values are JSON; errors do not end a script but fail it; an empty line ends an unfinished statement."""
    text = "x\n\nnone()\ns\nb\nlong\nfail()\nunscripted()\nf(\n1)\nwait()\nf(\n\nx"
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    assert main(["shell"]) == 1
    out, err = capsys.readouterr()
    long = json.dumps(["item"] * 20, indent=2)
    assert out == f"1\n\"é\"\nb'\\x00'\n{long}\n7\n1\n"
    expected = ["Error: no", "buntime: POST /execute", "interrupted; the state is", "Unexpected end of file"]
    assert [text for text in expected if text not in err] == []
    assert scripted.sessions == {}


def test_a_shell_on_a_terminal(
    scripted: FakeTransport, monkeypatch: Patch, tmp_path: Path, capsys: Capture
) -> None:
    """It has prompts and a history; Ctrl-C discards an unfinished statement."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    for _ in range(2):
        monkeypatch.setattr(sys, "stdin", _Terminal("f(\n^C\nx\n"))
        assert main(["shell"]) == 0
        out = capsys.readouterr().out
        assert out.split(": ", 1)[1] == "Ctrl-D ends the shell\n> ... \n> 1\n> \n"
    assert (tmp_path / "buntime" / "history").exists()


def test_a_python_without_readline(scripted: FakeTransport, monkeypatch: Patch, capsys: Capture) -> None:
    """The shell works without a history."""
    monkeypatch.setitem(sys.modules, "readline", None)
    monkeypatch.setattr(sys, "stdin", _Terminal("x\n"))
    assert main(["shell"]) == 0
    assert capsys.readouterr().out.endswith("> 1\n> \n")
