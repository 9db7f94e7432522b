"""Control characters from a service reached the terminal through the error lines of the command line."""

from __future__ import annotations

import pytest

from buntime._support.terminal import printable
from buntime.cli.main import main
from tests.support import responses
from tests.support.loopback import LoopbackServer, json_reply

_HOSTILE = "no\x1b[2J\x1b]0;title\x07\r\nbuntime: all is well\u202egnp.exe\u2066\x00\x9b31m\u2028"


def test_an_error_of_the_service_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Characters that move the cursor, forge a line or reorder text are escaped."""
    with LoopbackServer(json_reply(responses.error_body("unauthorized", _HOSTILE), 401)) as server:
        monkeypatch.setenv("BUNTIME_API_KEY", "btk_1")
        monkeypatch.setenv("BUNTIME_BASE_URL", server.url)
        assert 125 == main(["run", "-e", "1"])
    error = capsys.readouterr().err
    assert error.endswith("\n")
    assert error[:-1].isprintable()
    assert r"no\x1b[2J" in error


def test_a_file_name_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A file name that a program chose is escaped too."""
    assert 125 == main(["run", "/nowhere/a\n\x1b[31m\u202e.ts"])
    assert capsys.readouterr().err[:-1].isprintable()


@pytest.mark.parametrize("text", ["", "plain", "é 日本 😀", "a\\nb"])
def test_printable_text_is_unchanged(text: str) -> None:
    """Printable text of any script is unchanged."""
    assert text == printable(text)


def test_line_ends_can_be_allowed() -> None:
    """Messages of several lines keep their line ends; everything else is escaped."""
    assert "a\nb\\r\\x1b" == printable("a\nb\r\x1b", keep="\n")
