"""With ``PYTHONIOENCODING=cp1252``, ``buntime run`` failed on a check mark and misread its input."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.support import responses
from tests.support.loopback import LoopbackServer, json_reply, reply

_STREAM = [("Content-Type", "text/event-stream")]


@pytest.mark.parametrize("encoding", ["cp1252", "ascii:strict", "utf-16"])
def test_input_and_output_are_utf8(encoding: str) -> None:
    """The encoding does not depend on the locale, and the exit code is the program's."""
    events = (
        responses.event("stdout", {"text": "✓ é\n"})
        + responses.event("stderr", {"text": "✗ \ud800\n"})
        + responses.event("result", {"exitCode": 3})
    )
    server = LoopbackServer(
        json_reply(responses.CREATED), reply(200, events, _STREAM), json_reply(responses.DELETED)
    )
    with server:
        ended = subprocess.run(
            [sys.executable, "-m", "buntime", "run", "-"],
            input='console.log("✓")'.encode(),
            capture_output=True,
            check=False,
            timeout=60,
            env={
                **os.environ,
                "PYTHONIOENCODING": encoding,
                "BUNTIME_API_KEY": "btk_1",
                "BUNTIME_BASE_URL": server.url,
            },
        )
        code = json.loads(server.requests[1].body)["code"]
    assert (3, "✓ é\n", "✗ \\ud800\n") == (ended.returncode, ended.stdout.decode(), ended.stderr.decode())
    assert 'console.log("✓")' == code


def test_input_that_is_not_utf8_is_an_error() -> None:
    """Invalid input must not run as a different program."""
    ended = subprocess.run(
        [sys.executable, "-m", "buntime", "run", "-"],
        input=b"console.log('\xe9')",
        capture_output=True,
        check=False,
        timeout=60,
        env={**os.environ, "BUNTIME_API_KEY": "btk_1"},
    )
    assert 125 == ended.returncode
    assert ended.stderr.startswith(b"buntime: standard input is not UTF-8 text")
