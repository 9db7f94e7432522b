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
    runloop.devbox.create(name="interrupted", launch_parameters={"launch_commands": ["sleep 60"]})
"""


def test_interrupted_while_the_devbox_boots() -> None:
    """Ctrl-C ends the program, and the devbox is shut down although it has not booted yet."""
    with buntime_serve("--api-key", _KEY) as server:
        program = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, _KEY, server.url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with program:
            assert program.stdout is not None
            assert program.stderr is not None
            assert ["devboxes\n", "wait_for_status\n"] == [program.stdout.readline() for _ in range(2)]
            program.send_signal(signal.SIGINT)
            output, errors = program.communicate(timeout=60)
        assert ("shutdown\n", "KeyboardInterrupt") == (output, errors.strip().splitlines()[-1])

        with RunloopSDK(bearer_token=_KEY, transport=HTTPTransport(server.url)) as runloop:
            (devbox,) = runloop.devbox.list()
            assert "shutdown" == devbox.get_info().status
