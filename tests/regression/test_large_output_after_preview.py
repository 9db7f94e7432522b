"""After a preview connection, a sandbox ended when an execution wrote more than a pipe buffer."""

from __future__ import annotations

import socket
import sys
from urllib.parse import urlsplit

import pytest

from buntime import Buntime
from buntime.transport import LocalTransport

SERVER = "Bun.serve({ port: 8080, fetch: () => new Response('ok') })"


@pytest.mark.skipif(sys.platform != "linux", reason="sandboxes need Linux")
def test_output_of_any_size_after_a_connection() -> None:
    """All output arrives, and the server keeps running."""
    with Buntime(transport=LocalTransport()) as client, client.sessions.create() as session:
        server = session.start(SERVER)
        session.wait_for_port(8080)
        address = urlsplit(session.preview_url or "")
        socket.create_connection((address.hostname, address.port), timeout=10).close()

        sizes = [
            len(session.execute(f"console.log('x'.repeat({size}))", max_output=None).stdout)
            for size in (10**6, 10**7)
        ]

        assert [10**6 + 1, 10**7 + 1] == sizes
        assert server.running()
