"""An execution ran three times because a gateway responded with a bare 503 after it had been started."""

from __future__ import annotations

from typing import Callable

import pytest

from buntime import Buntime, ServerError
from buntime.transport import FunctionTransport, Request, Response
from tests.support.cases import in_one_test


@in_one_test("call", ["execute", "stream", "start", "call", "kill", "request"])
def test_an_execution_is_sent_once(call: str) -> None:
    """Whichever way it is started, and the error has ``maybe_executed``."""
    executed: list[str] = []

    def gateway(request: Request) -> Response:
        executed.append(request.path)
        return Response(503, [], [b"upstream connect error or disconnect/reset before headers"])

    client = Buntime(transport=FunctionTransport(gateway), retry_delay=0)
    session = client.sessions.attach("ses_1")
    actions: dict[str, Callable[[], object]] = {
        "execute": lambda: session.execute("send_invoices()"),
        "stream": lambda: session.stream("send_invoices()"),
        "start": lambda: session.start("send_invoices()"),
        "call": lambda: session.call("() => sendInvoices()"),
        "kill": lambda: session.kill(7),
        "request": lambda: client.request("POST", "/execute", json={"code": "send_invoices()"}),
    }
    with pytest.raises(ServerError) as caught:
        actions[call]()
    assert 1 == len(executed)
    assert caught.value.maybe_executed
