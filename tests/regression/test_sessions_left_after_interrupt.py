"""Sessions stayed after a Ctrl-C or a failure: their pool or client did not try to delete them again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from buntime import Buntime, ServerError, Session, SessionPool
from buntime._support import closing
from buntime.transport import Response
from tests.support import responses
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
    """The interrupted deletion is sent again after the others; after a second interrupt there are no more."""
    service = BlockingService()
    for number in range(interrupts):
        service.respond_next(f"DELETE /sessions/ses_{3 - number}", _interrupt)
    client = Buntime(transport=service.transport, delete_on_close=True)
    for _ in range(3):
        client.sessions.create()
    with pytest.raises(KeyboardInterrupt), client:
        pass
    assert {1: set(), 2: {"ses_1", "ses_2", "ses_3"}}[interrupts] == service.open
    sent = [call.rpartition("/")[2] for call in service.calls if call.startswith("DELETE")]
    assert {1: ["ses_3", "ses_2", "ses_1", "ses_3"], 2: ["ses_3", "ses_2"]}[interrupts] == sent


def test_a_client_closed_again_deletes_what_it_could_not_delete() -> None:
    """A session that is gone counts as deleted."""
    service = BlockingService()
    service.respond_next("DELETE /sessions/ses_2", lambda: responses.error(500, "internal_error"))
    client = Buntime(transport=service.transport, delete_on_close=True, max_retries=0)
    for _ in range(3):
        client.sessions.create()
    service.end("ses_3")
    with pytest.raises(ServerError):
        client.close()
    assert {"ses_2"} == service.open
    client.close()
    assert set() == service.open
    assert 4 == sum(call.startswith("DELETE") for call in service.calls)


def test_a_session_that_is_gone_is_not_deleted_again() -> None:
    """Its block ends with a 404, after which the client makes no call for it."""
    service = BlockingService()
    client = Buntime(transport=service.transport, delete_on_close=True)
    with client, client.sessions.create() as session:
        service.end(session.id)
    assert 1 == sum(call.startswith("DELETE") for call in service.calls)
