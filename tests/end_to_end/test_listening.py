"""Whether a session's supervisor detects listening ports through the kernel."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from importlib import resources

import pytest

from buntime.service.machine.find import find_bun

_ASK = """
const {{ listens }} = require({script});
console.log(listens({table}, {port}));
"""


def _listens(server: socket.socket) -> bool:
    """Look in the table of the socket's family: another program may listen on the same port in the other."""
    table = "tcp6" if server.family == socket.AF_INET6 else "tcp"
    port = server.getsockname()[1]
    script = str(resources.files("buntime.service.machine") / "supervisor" / "preview.js")
    code = _ASK.format(script=json.dumps(script), table=json.dumps(table), port=port)
    done = subprocess.run(
        [find_bun(None, os.environ), "-e", code], capture_output=True, text=True, check=True
    )
    return {"true\n": True, "false\n": False}[done.stdout]


@pytest.mark.parametrize(
    ("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::1")]
)
def test_only_listening_sockets_are_detected(family: int, host: str) -> None:
    """A bound socket that does not listen is ignored."""
    with socket.socket(family) as server:
        try:
            server.bind((host, 0))
        except OSError:
            pytest.skip(f"this machine has no {host}")
        assert not _listens(server)
        server.listen()
        assert _listens(server)
        with socket.create_connection(server.getsockname()[:2]):
            assert _listens(server)
