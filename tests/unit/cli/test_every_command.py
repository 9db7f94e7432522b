"""What all commands have in common: JSON, where they run, and how they fail."""

from __future__ import annotations

import argparse
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from buntime import Buntime
from buntime.cli.main import main
from buntime.cli.program import _COMMANDS, _parser
from buntime.runloop import RunloopSDK
from buntime.transport import FakeTransport
from tests.support.cases import in_one_test

# Commands that print a result. SESSION, DEVBOX and SUSPENDED exist, with a file and a process.
COMMANDS = """
run -e 1
exec -- ls
session create --ttl 600
session info SESSION
session delete SESSION
files ls --session SESSION
files cat --session SESSION a.txt b.bin
files put --session SESSION local.txt
files get --session SESSION a.txt --to copy
files rm --session SESSION a.txt
files sync --session SESSION folder data
snapshot --session SESSION new.tar.gz
snapshot --session SESSION --restore saved.tar
ps --session SESSION
logs --session SESSION 1
kill --session SESSION --all
devbox create
devbox list
devbox exec -- ls
devbox info DEVBOX
devbox logs DEVBOX
devbox resume SUSPENDED
devbox suspend DEVBOX
devbox read DEVBOX a.txt
devbox write DEVBOX b.txt local.txt
devbox shutdown DEVBOX
"""
# Those that talk to a person or to a client, and those that need no service.
OTHERS = {"session attach", "shell", "serve", "mcp", "doctor", "completion"}


def _leaves(parser: argparse.ArgumentParser, name: str = "") -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, command in action.choices.items():
                yield from _leaves(command, f"{name} {word}".strip())
            return
    yield name, parser


LEAVES = dict(_leaves(_parser()))


def _name(line: str) -> str:
    return next(name for name in LEAVES if f"{line} ".startswith(f"{name} "))


def test_the_table_has_every_command() -> None:
    """A new command belongs to it."""
    names = {_name(line) for line in COMMANDS.split("\n") if line}
    assert {name for name in LEAVES if not name.startswith("cassette ")} == names | OTHERS


def test_a_command_line_has_the_parser_of_its_command() -> None:
    """It is the one that the help of all commands describes, in its order."""
    assert [*_COMMANDS] == [*dict.fromkeys(name.partition(" ")[0] for name in LEAVES)]
    alone = {name: leaf for command in _COMMANDS for name, leaf in _leaves(_parser(command))}
    assert [*LEAVES] == [*alone]
    assert [leaf.format_help() for leaf in LEAVES.values()] == [leaf.format_help() for leaf in alone.values()]


@in_one_test("name", sorted({*LEAVES} - {"serve", "completion"}))
def test_the_options_of_every_command(name: str) -> None:
    """Each takes ``--json`` if it prints a result, and options for where it runs if it needs a service."""
    text = LEAVES[name].format_help()
    assert ("--json" in text) == (name not in {"session attach", "shell", "mcp"})
    assert [option in text for option in ("--local", "--transport NAME", "--network")] == [
        not name.startswith("cassette ")
    ] * 3


@pytest.fixture
def prepared(fake: FakeTransport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the ids of a session and of a devbox with files and a process, in a folder with files."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    for path in ("local.txt", "folder/c.txt"):
        (tmp_path / path).write_text("local")
    fake.on_execute(lambda execution: execution.command == "server", keeps_running=True)
    fake.on_execute(lambda _: True, stdout="out\n", exit_code=3)
    session = Buntime().sessions.create()
    session.files.write("a.txt", "content")
    session.files.write("b.bin", b"\xff")
    session.snapshot(str(tmp_path / "saved.tar"))
    session.start(command="server")
    devbox = RunloopSDK().devbox.create()
    devbox.file.write(file_path="a.txt", contents="content")
    suspended = RunloopSDK().devbox.create()
    suspended.suspend()
    return {"SESSION": session.id, "DEVBOX": devbox.id, "SUSPENDED": suspended.id}


@pytest.mark.parametrize("line", [line for line in COMMANDS.split("\n") if line])
def test_json_recorded_and_replayed(
    line: str, prepared: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With ``--json`` a command prints one document, from the service and from its recording."""
    words = [prepared.get(word, word) for word in line.split()]
    start = len(_name(line).split())

    def run(transport: str) -> tuple[int, Any]:
        code = main([*words[:start], "--json", "--transport", transport, *words[start:]])
        out, err = capsys.readouterr()
        assert err == ""
        return code, json.loads(out)

    recorded = run(f"record:{tmp_path / 'cassette.json'}")
    replayed = run(f"replay:{tmp_path / 'cassette.json'}")
    assert recorded[0] == replayed[0] == (3 if "ls" in words[-1:] or "run" in words else 0)
    assert type(recorded[1]) is type(replayed[1])
    if isinstance(recorded[1], dict):
        assert [*recorded[1]] == [*replayed[1]]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("run --timeout 5000 -e 1", "--timeout is 5000 seconds, above the maximum"),
        ("run --timeout 5000 -e 1", "if you mean 5000 milliseconds, pass --timeout 5"),
        ("session create --ttl 5", "--ttl must be at least 300 seconds, not 5"),
        ("exec --env =1 -- ls", "--env has the name ''"),
        ("run --transport foo -e 1", "--transport is 'foo'; it can be 'http'"),
        ("files cat --session SESSION nothing", "List the session's files with buntime files ls"),
        ("snapshot --session SESSION --restore nothing.tar", "nothing.tar: No such file"),
        ("session create --snapshot local.txt", "local.txt"),
    ],
)
def test_errors_name_options(
    words: str, message: str, prepared: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Not the arguments of Python that they set."""
    assert main([prepared.get(word, word) for word in words.split()]) == 125
    assert message in capsys.readouterr().err


def test_a_missing_key(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The error names the variable, and the option to do without."""
    monkeypatch.delenv("BUNTIME_API_KEY", raising=False)
    assert main(["run", "-e", "1"]) == 125
    expected = "no API key: set BUNTIME_API_KEY (to run on this machine without a key, add --local)"
    assert capsys.readouterr().err == f"buntime: {expected}\n"


def test_a_snapshot_starts_a_session(
    prepared: dict[str, str], fake: FakeTransport, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is saved without what is ignored, and restored into a new session."""
    session = ["--session", prepared["SESSION"]]
    assert main(["snapshot", *session, "new.tar.gz", "--ignore", "*.bin"]) == 0
    assert capsys.readouterr().out == "1 files of 7 bytes saved\n"
    assert main(["session", "create", "--snapshot", "new.tar.gz"]) == 0
    created = capsys.readouterr().out.strip()
    main(["files", "cat", "--session", created, "a.txt"])
    assert capsys.readouterr().out == "content"
    with tarfile.open("links.tar", "w") as archive:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "a.txt"
        archive.addfile(link)
    assert main(["snapshot", *session, "--restore", "links.tar"]) == 0
    assert "buntime: skipped link: it cannot be restored" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["snapshot", *session, "--restore", "--ignore", "x", "new.tar.gz"])
    assert "leave out --ignore" in capsys.readouterr().err
