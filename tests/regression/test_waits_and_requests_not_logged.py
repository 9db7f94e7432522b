"""A client that waited at a limit or retried for minutes logged nothing."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from buntime import Buntime, ConfigurationError
from tests.support import responses
from tests.support.scripted import ScriptedTransport, always, lost

KEY = "bt_live_canary1234567890"
_info = always(responses.as_json, responses.INFO, 200, [("X-Request-Id", f"req_7\x1b[2J{KEY}")])
_limited = always(
    responses.error, 429, "rate_limit_exceeded", KEY, headers=[("Retry-After", "7"), ("X-Request-Id", KEY)]
)

PROGRAM = """
from buntime import Buntime
from buntime.transport import FakeTransport
fake = FakeTransport()
fake.fail_next(429)
Buntime("bt_live_canary1234567890", transport=fake).sessions.create()
"""


def _messages(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == level]


def test_each_back_off_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """INFO has the cause, the pause and the number of the attempt."""
    transport = ScriptedTransport(_limited, lost("read"), _info)
    with caplog.at_level(logging.INFO, "buntime"):
        Buntime(KEY, transport=transport, retry_delay=0).sessions.info("ses_1")
    assert _messages(caplog, logging.INFO) == [
        "GET /sessions/ses_1: RateLimitError (429); waiting 7.00 s before attempt 2 of 3",
        "GET /sessions/ses_1: APIConnectionError (read); waiting 0.00 s before attempt 3 of 3",
    ]


def test_each_request_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """DEBUG has method, path, status, duration and request id, without control characters and credentials."""
    transport = ScriptedTransport(_limited, lost("read"), _info, takes=0.25)
    with caplog.at_level(logging.DEBUG, "buntime"):
        Buntime(KEY, transport=transport).sessions.info("ses_1")
    assert _messages(caplog, logging.DEBUG) == [
        "GET /sessions/ses_1: 429 in 250 ms, request id [hidden]",
        "GET /sessions/ses_1: APIConnectionError (read) after 250 ms",
        "GET /sessions/ses_1: 200 in 250 ms, request id req_7\\x1b[2J[hidden]",
    ]
    assert KEY not in caplog.text


@pytest.mark.parametrize(
    ("level", "is_debug"), [("debug", True), ("True", True), ("INFO", False), ("0", None)]
)
def test_the_environment_prints_the_log(level: str, is_debug: bool | None) -> None:
    """``BUNTIME_LOG`` prints to stderr what a program would otherwise have to configure."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={"BUNTIME_LOG": level},
        check=True,
        capture_output=True,
        text=True,
    )
    is_printed = "buntime INFO POST /sessions/create: RateLimitError (429)" in done.stderr
    assert is_printed is (is_debug is not None)
    assert (is_debug is True) is ("buntime DEBUG POST /sessions/create: 200 in" in done.stderr)
    assert "canary" not in done.stderr


def test_an_unknown_level_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A typing mistake must not hide the log."""
    monkeypatch.setenv("BUNTIME_LOG", "trace")
    with pytest.raises(ConfigurationError, match="BUNTIME_LOG is 'trace'; it must be debug, info, 1 or 0"):
        Buntime(transport=ScriptedTransport(_info))


def test_a_program_without_logging_does_not_import_it() -> None:
    """Neither importing buntime nor a call that succeeds costs the import of ``logging``."""
    program = (
        "import sys; from buntime import Buntime; from buntime._http import Response\n"
        "class Transport:\n"
        '    def send(self, request, /): return Response(200, (), [b\'{"sessionId": "ses_1"}\'])\n'
        "    def close(self): pass\n"
        "Buntime(transport=Transport()).sessions.info('ses_1')\n"
        "assert 'logging' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
