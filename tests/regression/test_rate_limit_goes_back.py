"""An answer without rate-limit headers put back an older limit over a newer one of another thread."""

from __future__ import annotations

from typing import Any

from buntime import Buntime, RateLimit
from buntime.transport import FunctionTransport, Headers
from tests.support import responses


class _Noting:
    """What answers told, each time that it is written down."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "rate_limit_headers":
            self.told.append(value.get("X-RateLimit-Remaining"))
        super().__setattr__(name, value)


def test_an_answer_that_names_no_limit_writes_none_down() -> None:
    """Between looking at the old one and writing it down again, another thread may have written a newer."""
    headers = [[], [("X-RateLimit-Limit", "100"), ("X-RateLimit-Remaining", "7")], []]
    replies = iter([responses.as_json(responses.INFO, headers=pairs) for pairs in headers])
    client = Buntime(transport=FunctionTransport(lambda _: next(replies)))
    seen: Any = _Noting()
    seen.rate_limit_headers = Headers()
    client._context.caller.shared = seen
    for _ in headers:
        client.sessions.info("ses_1")
    assert [None, "7"] == seen.told
    assert RateLimit(100, 7, None) == client.rate_limit
