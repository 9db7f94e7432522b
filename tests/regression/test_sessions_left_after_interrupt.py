"""After a Ctrl-C the time for cleaning up was over for ever: a pool used again deleted no session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from buntime import Buntime, Session, SessionPool
from buntime._support import closing
from buntime.transport import Response
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


def _interrupt() -> Response:
    raise KeyboardInterrupt


@pytest.mark.parametrize("interrupts", [1, 2])
def test_an_interrupt_while_a_pool_is_closed(interrupts: int) -> None:
    """The first one leaves 10 s in which the sessions are deleted after all; the second ends that."""
    service = BlockingService()
    service.respond_next("DELETE /sessions/ses_1", *[_interrupt] * interrupts)
    with Buntime(transport=service.transport) as client:
        with pytest.raises(KeyboardInterrupt), SessionPool(client, size=1) as pool:
            pool.warm()
        assert 2 == service.calls.count("DELETE /sessions/ses_1")
    assert {1: set(), 2: {"ses_1"}}[interrupts] == service.open


@pytest.mark.parametrize("interrupts", [1, 2])
def test_an_interrupt_while_a_client_deletes_its_sessions(interrupts: int) -> None:
    """Each deletion is sent once; after a second interrupt there are no more."""
    service = BlockingService()
    for number in range(interrupts):
        service.respond_next(f"DELETE /sessions/ses_{3 - number}", _interrupt)
    client = Buntime(transport=service.transport, delete_on_close=True)
    for _ in range(3):
        client.sessions.create()
    with pytest.raises(KeyboardInterrupt), client:
        pass
    assert {1: {"ses_3"}, 2: {"ses_1", "ses_2", "ses_3"}}[interrupts] == service.open
