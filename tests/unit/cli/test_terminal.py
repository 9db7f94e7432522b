"""Tables, errors and progress on a pseudo-terminal, with rich and without."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Callable

import pytest

from buntime import Buntime
from buntime.cli.main import main
from buntime.transport import FakeTransport

pytest.importorskip("rich")
pytestmark = pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs pseudo-terminals")
Run = Callable[..., str]


@pytest.fixture
def run(fake: FakeTransport, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Return a function that runs a command on a terminal and returns what it shows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    fake.on_execute(command="server", keeps_running=True)
    monkeypatch.setenv("BUNTIME_SESSION", Buntime().sessions.create().id)

    def run(*words: str) -> str:
        with _terminal(monkeypatch) as read:
            main(words)
        return read()

    return run


@contextmanager
def _terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], str]]:
    controller, terminal = os.openpty()
    printed = bytearray()

    def read() -> None:
        while not printed.endswith(b"\0"):
            printed.extend(os.read(controller, 10_000))

    reader = threading.Thread(target=read)
    reader.start()
    with open(terminal, "w", encoding="utf-8") as stream, monkeypatch.context() as streams:
        streams.setattr(sys, "stdout", stream)
        streams.setattr(sys, "stderr", stream)
        try:
            yield printed.decode
        finally:
            stream.flush()
            os.write(terminal, b"\0")  # the end
            reader.join()
    os.close(controller)


def test_a_table(run: Run) -> None:
    """The header is bold, states have colors, and long names are folded, not cut; brackets are no markup."""
    session = Buntime().sessions.attach(os.environ["BUNTIME_SESSION"])
    session.start(command="server")
    shown = run("ps")
    assert "\x1b[1mNUMBER" in shown
    assert "\x1b[32mrunning\x1b[0m" in shown
    name = f"[red]{'x' * 40}.txt"
    session.files.write(name, "")
    assert "".join(run("files", "ls").split()).endswith(f"{name}\0")


def test_an_error(run: Run) -> None:
    """The name of the program is red, and the message is one line of text."""
    shown = run("files", "cat", "[red]nothing")
    assert shown.startswith("\x1b[1;31mbuntime:\x1b[0m")
    assert "the session has no file '[red]nothing'. List the session's files" in shown
    assert shown.count("\n") == 1


def test_progress(run: Run, tmp_path: Path) -> None:
    """A transfer has a bar, which its end removes."""
    (tmp_path / "a.bin").write_bytes(b"x" * 2_000_000)
    shown = run("files", "put", "a.bin")
    assert "2.0/2.0 MB" in shown
    assert "\x1b[2K" in shown


def test_without_colors(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """``NO_COLOR`` and a terminal that has none are respected."""
    monkeypatch.setenv("TERM", "dumb")
    assert "\x1b" not in run("session", "create", "--ttl", "1") + run("ps")


def test_without_rich(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same content is plain text."""
    monkeypatch.setitem(sys.modules, "rich.console", None)
    assert run("ps") == "NUMBER  PID  STATE\r\n\0"
    assert run("logs", "7").startswith("buntime: ses_")
