"""A session is refused while others are being deleted: the pool must not count them as missing afterwards."""

from __future__ import annotations

import threading
import time

from buntime import Buntime, Session, SessionPool
from buntime.pool.limits import SessionQuota, StoppableClock
from buntime.transport import FakeTransport, Response
from tests.support import responses
from tests.support.blocking_service import BlockingService


def test_a_refusal_that_arrives_after_deletions() -> None:
    """The last item gets a session as soon as the others have ended, not only after ``Retry-After``."""
    service = BlockingService()
    pool = SessionPool(Buntime(transport=service.transport), size=4, reuse=False)

    def refuse() -> Response:
        service.release()
        while "1 of 4" not in repr(pool):
            time.sleep(0.001)
        return responses.error(403, "concurrent_session_limit", headers=[("Retry-After", "3600")])

    created = [service._create] * 3
    service.respond_next("POST /sessions/create", *created, refuse)
    end = threading.Timer(30, pool.close)
    end.start()
    codes = ["hold a", "hold b", "hold c", "hold d"]
    with pool:
        assert codes == [outcome.result() for outcome in pool.map(_run, codes)]
    end.cancel()
    assert 4 == len(service.created)


def _run(session: Session, code: str) -> str:
    return session.execute(code).stdout


def test_a_session_created_while_another_is_attempted() -> None:
    """It is counted after others were deleted: as many as were possible before can be created together."""
    fake = FakeTransport()
    quota = SessionQuota(5, StoppableClock(Buntime(transport=fake)._context.caller))
    quota.on_refused(3, None)
    fake.advance(60)
    assert quota.has_capacity(3)
    quota.on_created(1)
    assert quota.has_capacity(1)
    assert quota.has_capacity(2)
