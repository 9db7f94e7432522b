"""The service saw the connection of a closed transport open for as long as a forked child lived."""

from __future__ import annotations

import os

from buntime.transport import HTTPTransport
from tests.support.exchanges import PATIENT
from tests.support.forks import needs_fork
from tests.support.loopback import LoopbackServer


@needs_fork
def test_a_closed_connection_is_closed() -> None:
    """A forked child has let go of its copy, whether it uses the transport or not."""
    with LoopbackServer() as server:
        transport = HTTPTransport(server.url)
        transport.send(PATIENT).read()
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.close(writing)
            os.read(reading, 1)  # lives until its parent has seen enough
            os._exit(0)
        try:
            transport.close()
            server.wait_for(lambda server: server.open_connections == 0)
        finally:
            os.close(writing)
            os.close(reading)
            os.waitpid(child, 0)
