"""A connection that was lost in the headers gave an empty body: an empty file, a deletion that succeeded."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from buntime import APIConnectionError, Buntime
from tests.support.cases import in_one_test
from tests.support.loopback import Exchange, LoopbackServer

CALLS: list[Callable[[Buntime], Any]] = [
    lambda client: client.files.read(session_id="ses_1", path="a.txt"),
    lambda client: client.sessions.delete("ses_1"),
    lambda client: client.request("GET", "/health"),
]


@in_one_test("begin", [b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Ty"])
@in_one_test("call", CALLS)
def test_headers_that_are_cut_off_raise_an_error(begin: bytes, call: Callable[[Buntime], Any]) -> None:
    """It is a lost connection like any other."""

    def cut_off(exchange: Exchange) -> None:
        exchange.send(begin)
        exchange.drop()

    with (
        LoopbackServer(cut_off) as server,
        Buntime("key", base_url=server.url, max_retries=0) as client,
        pytest.raises(APIConnectionError, match="cut off") as caught,
    ):
        call(client)
    assert "read" == caught.value.phase
