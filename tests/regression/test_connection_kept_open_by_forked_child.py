"""The service saw the connection of a closed transport as open while a forked child was alive."""

from __future__ import annotations

import os

from buntime.transport import HTTPTransport
from tests.support.exchanges import PATIENT
from tests.support.forks import needs_fork
from tests.support.loopback import LoopbackServer


@needs_fork
def test_a_closed_connection_is_closed() -> None:
    """A forked child closes its copy of the socket, whether or not it uses the transport."""
    with LoopbackServer() as server:
        transport = HTTPTransport(server.url)
        transport.send(PATIENT).read()
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.close(writing)
            os.read(reading, 1)  # blocks until the parent closes its end
            os._exit(0)
        try:
            transport.close()
            server.wait_for(lambda server: server.open_connections == 0)
        finally:
            os.close(writing)
            os.close(reading)
            os.waitpid(child, 0)
