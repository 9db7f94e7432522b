"""A forked child hung at exit if a thread of its parent was taking a connection from the pool."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.forks import needs_fork
from tests.support.loopback import LoopbackServer

_PROGRAM = """
import os, signal, sys
from buntime.transport import HTTPTransport, Request

url, uses = sys.argv[1], sys.argv[2] == "a request"
transport = HTTPTransport(url)

def send():
    transport.send(Request("GET", "/", connect_timeout=20, read_timeout=20)).read()

send()
pool = transport._session.get_adapter(url).poolmanager.connection_from_url(url).pool
pool.mutex.acquire()  # as a thread in the middle of a request does
child = os.fork()
if not child:
    signal.alarm(20)
    if uses:
        send()
    sys.exit()
pool.mutex.release()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@needs_fork
@pytest.mark.parametrize("uses", ["a request", "nothing"])
def test_a_forked_child_exits(uses: str) -> None:
    """The child exits normally and runs its exit handlers, even if it never used the transport."""
    with LoopbackServer() as server:
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, server.url, uses],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ("0\n", "") == (done.stdout, done.stderr)
