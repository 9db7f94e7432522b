"""With ``delete_on_close``, sessions that a forked child created stayed after it closed the client."""

from __future__ import annotations

from buntime import Buntime
from buntime.transport import HTTPTransport
from tests.support import responses
from tests.support.forks import hold_locks, needs_fork, run_in_fork
from tests.support.loopback import Exchange, LoopbackServer


def _respond(exchange: Exchange) -> None:
    if exchange.request.method == "DELETE":
        body: object = responses.DELETED
    else:
        body = {**responses.CREATED, "sessionId": f"ses_{exchange.request.headers['Idempotency-Key']}"}
    exchange.reply(200, responses.as_json(body).read())


@needs_fork
def test_each_process_deletes_what_it_created() -> None:
    """Each process deletes its own sessions on its own connection, even while a parent thread closes."""
    with LoopbackServer(_respond) as server:
        client = Buntime(transport=HTTPTransport(server.url), delete_on_close=True)

        def child() -> object:
            client.sessions.create(idempotency_key="child")
            client.close()
            return [received.target for received in server.requests]

        client.sessions.create(idempotency_key="parent")
        with hold_locks(client._closing):
            run_in_fork(child)
        client.close()
    requests = [(received.method, received.target, received.connection) for received in server.requests]
    assert [
        ("POST", "/sessions/create", 1),
        ("POST", "/sessions/create", 2),
        ("DELETE", "/sessions/ses_child", 2),
        ("DELETE", "/sessions/ses_parent", 1),
    ] == requests
