"""A forked child that ended while a thread of its parent took a connection from the pool hung for ever."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.forks import needs_fork
from tests.support.loopback import LoopbackServer

_PROGRAM = """
import os, signal, sys
from buntime.transport import HTTPTransport, Request

url, uses = sys.argv[1], sys.argv[2] == "a call"
transport = HTTPTransport(url)

def ask():
    transport.send(Request("GET", "/", connect_timeout=20, read_timeout=20)).read()

ask()
pool = transport._session.get_adapter(url).poolmanager.connection_from_url(url).pool
pool.mutex.acquire()  # as a thread in the middle of a call does
child = os.fork()
if not child:
    signal.alarm(20)
    if uses:
        ask()
    sys.exit()
pool.mutex.release()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@needs_fork
@pytest.mark.parametrize("before", ["a call", "nothing"])
def test_a_forked_child_ends(before: str) -> None:
    """As Python does, with what is to be done at the end; also where it never used the transport."""
    with LoopbackServer() as server:
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, server.url, before],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ("0\n", "") == (done.stdout, done.stderr)
