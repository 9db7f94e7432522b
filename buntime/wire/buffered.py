"""An answer as it arrived, before anything is decoded."""

from __future__ import annotations

import attrs

from buntime._http import Headers

RATE_LIMIT_HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")


@attrs.frozen
class BufferedResponse:
    """A response whose body is in."""

    status: int | None
    headers: Headers
    body: bytes


def tells_rate_limit(headers: Headers) -> bool:
    """Whether an answer has any of the rate-limit headers."""
    return any(name in headers for name in RATE_LIMIT_HEADERS)
