"""Control characters from a service or a program reached the terminal through the texts of errors."""

from __future__ import annotations

from typing import Callable, Optional

import pytest

from buntime import Buntime, BuntimeError, JavaScriptError
from buntime._support.terminal import printable
from buntime.cli.main import main
from buntime.runloop import RunloopSDK
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


def test_the_text_of_an_error_is_one_line() -> None:
    """It is printed by tracebacks and logs; the details keep what the service sent."""
    path = "n\x1b[2J\r\npe\u202e"
    with LoopbackServer(json_reply(responses.error_body("c\x1b", _HOSTILE, {"path": path}), 404)) as server:
        client, runloop = (
            Buntime("btk_1", base_url=server.url),
            RunloopSDK(bearer_token="key", base_url=server.url),
        )
        calls: list[Callable[[], object]] = [
            lambda: client.execute(session_id="ses_1", code="1"),
            lambda: client.sessions.info("ses_1"),
            lambda: runloop.devbox.from_id("dbx_1").get_info(),
        ]
        for call in calls:
            with pytest.raises(BuntimeError) as caught:
                call()
            assert str(caught.value).isprintable()
            assert r"no\x1b[2J" in str(caught.value)
        with pytest.raises(BuntimeError) as caught:
            client.execute(session_id="ses_1", code="1")
        assert {"path": path} == caught.value.details
        client.close()
        runloop.close()


@pytest.mark.parametrize("stack", [None, "Error: \x1b[2J\u202e\n    at f (a.ts:1:2)"])
def test_the_text_of_a_javascript_error(stack: Optional[str]) -> None:
    """Its lines stay."""
    error = JavaScriptError("\x1b[2J\r", name="Error", stack=stack or "")
    assert all(line.isprintable() for line in str(error).split("\n"))
    assert (2 if stack else 1) == len(str(error).split("\n"))


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
