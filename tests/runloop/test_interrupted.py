"""A program that is interrupted while it creates a devbox, on a real server."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from buntime.runloop import RunloopSDK
from buntime.transport import HTTPTransport
from tests.support.serving import buntime_serve

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sandboxes need Linux")

_KEY = "rk_of_the_interrupted"
_PROGRAM = """
import sys
from buntime.runloop import RunloopSDK

def announce(request, send):
    print(request.path.rpartition("/")[2], flush=True)
    return send(request)

with RunloopSDK(bearer_token=sys.argv[1], base_url=sys.argv[2], middleware=announce) as runloop:
    launch = {"launch_commands": ["sleep 60"], "keep_alive_time_seconds": int(sys.argv[3])}
    runloop.devbox.create(name="interrupted", launch_parameters=launch)
"""


@pytest.mark.parametrize(
    ("number", "seconds", "last_words", "reason"),
    [
        (signal.SIGINT, 3600, ("shutdown\n", ["KeyboardInterrupt"]), "api_shutdown"),
        (signal.SIGKILL, 2, ("", []), "keep_alive_timeout"),
    ],
    ids=["interrupted", "killed"],
)
def test_a_program_that_ends_while_the_devbox_boots(
    number: signal.Signals, seconds: int, last_words: tuple[str, list[str]], reason: str
) -> None:
    """Ctrl-C shuts the devbox down before it has booted; SIGKILL leaves it to the end of its keep-alive."""
    with buntime_serve("--api-key", _KEY) as server:
        program = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, _KEY, server.url, str(seconds)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with program:
            assert program.stdout is not None
            assert program.stderr is not None
            assert ["devboxes\n", "wait_for_status\n"] == [program.stdout.readline() for _ in range(2)]
            program.send_signal(number)
            output, errors = program.communicate(timeout=60)
        assert last_words == (output, errors.strip().splitlines()[-1:])

        with RunloopSDK(bearer_token=_KEY, transport=HTTPTransport(server.url)) as runloop:
            (devbox,) = runloop.devbox.list()
            runloop.api.devboxes.wait_for_status(devbox.id, statuses=["shutdown"], timeout_seconds=30)
            assert reason == devbox.get_info().shutdown_reason
