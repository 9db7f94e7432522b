"""``buntime doctor`` and ``buntime completion``: what a user has on the machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from buntime import transport
from buntime.cli.main import main
from buntime.errors import ConfigurationError
from buntime.transport import FakeTransport
from tests.support import responses
from tests.support.loopback import LoopbackServer, json_reply

Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str, capsys: Capture) -> None:
    """The lines for a shell name the program."""
    pytest.importorskip("argcomplete")
    assert main(["completion", shell]) == 0
    assert "buntime" in capsys.readouterr().out


def test_completion_needs_argcomplete(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """The error says how to install it."""
    monkeypatch.setitem(sys.modules, "argcomplete.shell_integration", None)
    assert main(["completion", "bash"]) == 125
    assert 'from the extra cli: pip install "buntime[cli]"' in capsys.readouterr().err


def test_a_shell_requests_the_possible_words(tmp_path: Path) -> None:
    """The commands are printed to the file of the shell."""
    pytest.importorskip("argcomplete")
    line = {"_ARGCOMPLETE": "1", "COMP_LINE": "buntime dev", "COMP_POINT": "11", "_ARGCOMPLETE_IFS": "|"}
    output = {"_ARGCOMPLETE_STDOUT_FILENAME": str(tmp_path / "words")}
    command = [sys.executable, "-m", "buntime"]
    subprocess.run(command, env={**os.environ, **line, **output}, check=True, capture_output=True)
    assert (tmp_path / "words").read_text().strip() == "devbox"


def test_the_doctor(fake: FakeTransport, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """It shows no key, and its exit code is about the selected transport."""
    monkeypatch.setenv("BUNTIME_BUN", "/nowhere/bun")
    monkeypatch.setenv("BUNTIME_API_KEY", "btk_secret")
    monkeypatch.setenv("BUNTIME_BASE_URL", "http://127.0.0.1:1")
    assert main(["doctor", "--json"]) == 1
    out = capsys.readouterr().out
    assert "btk_secret" not in out
    checks = {check["name"]: check for check in json.loads(out)}
    assert "/nowhere/bun" in checks["this machine"]["text"]
    assert [checks[name]["ok"] for name in ("this machine", "without isolation", "service")] == [False] * 3


_UNAUTHORIZED = json_reply(responses.error_body("unauthorized", "no such key"), 401)


@pytest.mark.parametrize(
    ("response", "ok", "text"),
    [
        (_UNAUTHORIZED, False, "refuses the key"),
        (json_reply(responses.error_body("not_found", "no session"), 404), True, "accepts the key"),
        (json_reply({}), True, "accepts the key"),
        (json_reply(responses.error_body("internal", "broken"), 500), False, "broken"),
        (None, False, "set BUNTIME_API_KEY"),
    ],
)
def test_the_doctor_and_the_service(
    response: Any, ok: bool, text: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """A service that knows the key responds to a request for a session, whether or not that exists."""
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("BUNTIME_API_KEY", "btk_1" if response else "")
    with LoopbackServer(*[response] if response else []) as server:
        monkeypatch.setenv("BUNTIME_BASE_URL", server.url)
        assert main(["doctor"]) == int(not ok)
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[-1].startswith("ok service: " if ok else "FAIL service: ")
    assert text in lines[-1]
    assert "FAIL this machine: the local transport runs on Linux and macOS" in lines


def test_the_doctor_and_this_machine(fake: FakeTransport, monkeypatch: Any, capsys: Capture) -> None:
    """It runs a program in a sandbox; without sandboxes, it reports whether one runs without isolation."""

    def make(isolation: str) -> FakeTransport:
        if isolation in refused:
            raise ConfigurationError("needs a newer kernel")
        fake = FakeTransport()
        fake.on_execute(lambda _: True, stdout="Bun 1.3 runs\n")
        return fake

    monkeypatch.setattr(transport, "LocalTransport", make)
    monkeypatch.setenv("BUNTIME_API_KEY", "")
    monkeypatch.setenv("BUNTIME_TRANSPORT", "local")
    refused: set[str] = set()
    assert main(["doctor"]) == 0
    assert "ok this machine: Bun 1.3 runs, in a sandbox" in " ".join(capsys.readouterr().out.split())
    refused.add("required")
    assert main(["doctor"]) == 1
    out = " ".join(capsys.readouterr().out.split())
    assert "FAIL this machine: needs a newer kernel ok without isolation: Bun 1.3 runs" in out
