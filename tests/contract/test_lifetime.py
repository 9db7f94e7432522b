"""The lifetime of a session, and keeping it awake."""

from __future__ import annotations

import pytest

from buntime import Buntime, Session
from tests.contract import functions


def test_remaining_counts_down_from_the_ttl(client: Buntime) -> None:
    """It is at most the ttl, and known from the start."""
    with client.sessions.create(ttl=600) as session:
        first = session.remaining
        assert first is not None
        assert 500 < first <= 600
        second = session.remaining
        assert second is not None
        assert second <= first


def test_remaining_of_an_attached_session(client: Buntime, session: Session) -> None:
    """It is unknown until the first response."""
    attached = client.sessions.attach(session.id)
    before = attached.remaining
    assert before is None
    attached.info()
    assert session.expires_at == attached.expires_at
    remaining = attached.remaining
    assert remaining is not None
    assert 0 < remaining <= 600


def test_a_session_kept_awake_works_as_usual(session: Session) -> None:
    """Pings leave nothing in the workspace, and leaving the block does not wait for one."""
    with session.stay_awake() as awake:
        assert 5 == session.call(functions.ADD, 2, 3)
    assert awake.error is None
    assert [] == session.files.list()
    assert "active" == session.info().state


@pytest.mark.parametrize("interval", [0, -1, 241, float("nan")])
def test_an_invalid_interval(session: Session, interval: float) -> None:
    """An interval that would not keep the session awake raises an error."""
    with pytest.raises(ValueError, match="interval"):
        session.stay_awake(interval=interval)
