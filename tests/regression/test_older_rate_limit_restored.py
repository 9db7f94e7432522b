"""A response without rate-limit headers replaced a newer limit from another thread with an older one."""

from __future__ import annotations

from typing import Any

from buntime import Buntime, RateLimit
from buntime.transport import FunctionTransport, Headers
from tests.support import responses


class _Recorder:
    """Records each assignment of the rate-limit headers."""

    def __init__(self) -> None:
        self.assigned: list[Any] = []

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "rate_limit_headers":
            self.assigned.append(value.get("X-RateLimit-Remaining"))
        super().__setattr__(name, value)


def test_a_response_without_a_limit_stores_nothing() -> None:
    """Between reading the old limit and writing it back, another thread may have written a newer one."""
    headers = [[], [("X-RateLimit-Limit", "100"), ("X-RateLimit-Remaining", "7")], []]
    replies = iter([responses.as_json(responses.INFO, headers=pairs) for pairs in headers])
    client = Buntime(transport=FunctionTransport(lambda _: next(replies)))
    recorder: Any = _Recorder()
    recorder.rate_limit_headers = Headers()
    client._context.caller.shared = recorder
    for _ in headers:
        client.sessions.info("ses_1")
    assert [None, "7"] == recorder.assigned
    assert RateLimit(100, 7, None) == client.rate_limit
