"""A closed client kept idle connections open for as long as an error referred to their pool."""

from __future__ import annotations

import pytest

from buntime import APIConnectionError, Buntime
from tests.support.loopback import LoopbackServer, json_reply
from tests.support.responses import INFO


@pytest.mark.parametrize("max_retries", [0, 1])
def test_closing_a_client_closes_its_connections(max_retries: int) -> None:
    """An error that the program keeps does not keep connections open."""
    errors: list[BaseException] = []
    with LoopbackServer(json_reply(INFO), listening=False) as server:

        def recover(error: BaseException, _: int) -> None:
            errors.append(error)
            server.listen()

        client = Buntime("key", base_url=server.url, max_retries=max_retries, retry_delay=0, on_retry=recover)
        if not max_retries:
            with pytest.raises(APIConnectionError) as caught:
                client.sessions.info("ses_1")
            recover(caught.value, 1)
        client.sessions.info("ses_1")
        assert 1 == server.open_connections
        client.close()
        server.wait_for(lambda server: server.open_connections == 0)
    assert 1 == len(errors)
