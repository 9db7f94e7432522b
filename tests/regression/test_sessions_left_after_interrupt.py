"""After a Ctrl-C the time for cleaning up was over for ever: a pool used again deleted no session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from buntime import Buntime, Session, SessionPool
from buntime._support import closing
from tests.support.blocking_service import BlockingService


def _run(session: Session, code: str) -> str:
    return session.execute(code).stdout


def _interrupted() -> Iterator[str]:
    yield "a"
    raise KeyboardInterrupt


def test_a_pool_used_after_an_interrupt_deletes_its_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each session without reuse is deleted after its item or block, however long ago the interrupt was."""
    monkeypatch.setattr(closing, "CLEANUP_SECONDS", 0.0)
    service = BlockingService()
    with Buntime(transport=service.transport) as client:
        pool = SessionPool(client, size=1, reuse=False)
        with pytest.raises(KeyboardInterrupt):
            list(pool.map(_run, _interrupted()))
        before = set(service.open)
        assert ["b"] == [outcome.value for outcome in pool.map(_run, "b")]
        with pytest.raises(KeyboardInterrupt), pool.session():
            raise KeyboardInterrupt
        before |= {service.created[-1]} & service.open
        with pool.session() as session:
            pass
        assert before == service.open
        assert session.id not in before
        pool.close()
    assert set() == service.open
