"""If the service refused every attempt because of a limit, a pool waited without end."""

from __future__ import annotations

import math

import pytest

from buntime import Buntime, BuntimeError, Session, SessionPool
from buntime.transport import FakeTransport, Request, Response
from tests.support import responses


class _Refusing(FakeTransport):
    """Refuses every request with this path, however long the pool waits."""

    def __init__(self, path: str, status: int, code: str, retry_after: str) -> None:
        super().__init__()
        self._refusal = (path, status, code, [("Retry-After", retry_after)])

    def send(self, request: Request, /) -> Response:
        path, status, code, headers = self._refusal
        if request.path == path:
            assert self.monotonic() < 10 * 86_400, "the pool still waits"
            return responses.error(status, code, headers=headers)
        return super().send(request)


def _run(session: Session, code: str) -> str:
    return session.execute(code).stdout


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/execute", 429, "rate_limit_exceeded"),
        ("/sessions/create", 429, "rate_limit_exceeded"),
        ("/sessions/create", 403, "concurrent_session_limit"),
    ],
)
@pytest.mark.parametrize(("retry_after", "max_wait"), [("3600", 172_800.0), ("0", 100.0)])
def test_an_item_has_the_error_when_its_waits_are_too_long(
    path: str, status: int, code: str, retry_after: str, max_wait: float
) -> None:
    """Each item has waited for almost ``max_wait``, and the error says so."""
    fake = _Refusing(path, status, code, retry_after)
    with Buntime(transport=fake) as client, SessionPool(client, size=2, max_wait=max_wait) as pool:
        assert max_wait == SessionPool(client)._registry.max_wait or max_wait == 100
        outcomes = list(pool.map(_run, "ab"))
    for outcome in outcomes:
        assert isinstance(outcome.error, BuntimeError)
        assert status == outcome.error.status
        assert f"would exceed max_wait={max_wait:g}" in str(outcome.error)
    assert max_wait - 3600 <= fake.monotonic() <= 2 * max_wait


def test_the_bound_can_be_removed_and_is_checked() -> None:
    """``None`` waits as long as it takes."""
    with Buntime(transport=FakeTransport()) as client:
        assert math.inf == SessionPool(client, max_wait=None)._registry.max_wait
        for value in (-1, math.inf, math.nan):
            with pytest.raises(ValueError, match="max_wait"):
                SessionPool(client, max_wait=value)
