"""A response that was cut off while a hook read it, or that a hook closed, was taken for complete."""

from __future__ import annotations

from contextlib import closing
from typing import Any, Callable

import pytest
import requests

from buntime import APIConnectionError
from buntime.transport import HTTPTransport
from tests.support.cases import in_one_test
from tests.support.exchanges import PATIENT
from tests.support.loopback import Exchange, LoopbackServer


def _cut_off(exchange: Exchange) -> None:
    exchange.head(200, [("Content-Length", "9")])
    exchange.send(b"abc")
    exchange.drop()


@in_one_test("use", [lambda response: response.content, lambda response: response.close()])
def test_a_part_of_a_body_is_not_returned(use: Callable[[requests.Response], Any]) -> None:
    """Whether urllib3 reports the missing bytes, as since its version 2, or not."""

    def hook(response: requests.Response, **_: Any) -> None:
        use(response)

    with (
        LoopbackServer(_cut_off) as server,
        requests.Session() as session,
        closing(HTTPTransport(server.url, session=session)) as transport,
    ):
        session.hooks["response"].append(hook)
        with pytest.raises(APIConnectionError) as caught:
            transport.send(PATIENT).read()
    assert "read" == caught.value.phase
