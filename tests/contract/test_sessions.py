"""Create, use and delete sessions."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from buntime import Buntime, ConflictError, Session, SessionNotFoundError
from buntime.transport import Transport
from tests.contract import programs

UNKNOWN = "ses_unknown00000000000"


def test_a_new_session_has_its_attributes(client: Buntime) -> None:
    """The response has the id, both dates, the preview URL and the limits."""
    with client.sessions.create(ttl=600) as session:
        assert re.fullmatch(r"ses_[A-Za-z0-9]+", session.id)
        assert session.created_at is not None
        assert session.expires_at is not None
        assert timedelta(seconds=600) == session.expires_at - session.created_at
        assert timedelta(0) == session.created_at.utcoffset()
        assert session.preview_url is not None
        assert session.preview_url.startswith("http")
        limits = session.resource_limits
        assert limits is not None
        assert (1024, 0.25, 30, 1024) == (limits.memory, limits.cpu, limits.timeout, limits.disk)


def test_info_returns_the_current_state(client: Buntime) -> None:
    """The result has the metadata, the number of files, and the state."""
    metadata = {"purpose": "contract", "nested": {"numbers": [1, 2.5, None, True]}}
    with client.sessions.create(metadata=metadata) as session:
        session.files.write("a.txt", "a")
        session.files.write("folder/b.txt", "b")
        info = session.info()
    assert session.id == info.id
    assert metadata == info.metadata
    assert (2, "active", 0) == (info.files_count, info.state, info.active_processes)
    assert (session.created_at, session.expires_at) == (info.created_at, info.expires_at)
    assert info.last_active is not None


def test_a_session_ends_with_its_block(client: Buntime) -> None:
    """After the block every call reports an unknown id."""
    with client.sessions.create() as session:
        session.files.write("a.txt", "a")
    for call in (
        session.info,
        session.delete,
        session.kill_all,
        session.files.list,
        lambda: session.files.read("a.txt"),
        lambda: session.files.write("a.txt", "a"),
        lambda: session.execute(programs.HELLO),
        lambda: session.stream(programs.HELLO),
    ):
        with pytest.raises(SessionNotFoundError) as caught:
            call()
        assert (404, "session_not_found") == (caught.value.status, caught.value.code)
        assert not caught.value.maybe_executed


def test_a_block_that_raises_ends_the_session_too(client: Buntime) -> None:
    """The block's error is raised, and the session is deleted."""
    with pytest.raises(ZeroDivisionError), client.sessions.create() as session:
        _ = 1 / 0
    with pytest.raises(SessionNotFoundError):
        session.info()


def test_an_attached_session_is_the_same_and_stays(client: Buntime, session: Session) -> None:
    """Attaching gives access to the files; leaving the block deletes nothing."""
    session.files.write("kept.txt", "kept")
    with client.sessions.attach(session.id) as attached:
        assert "kept" == attached.files.read("kept.txt")
        assert attached.expires_at is None
    assert "active" == session.info().state


def test_a_key_creates_one_session(client: Buntime) -> None:
    """The same key and arguments return the same session; other arguments raise a conflict."""
    key = "a-key-of-the-contract-suite"
    with client.sessions.create(ttl=600, metadata={"a": 1}, idempotency_key=key) as session:
        repeated = client.sessions.create(ttl=600, metadata={"a": 1}, idempotency_key=key)
        assert session.id == repeated.id
        with pytest.raises(ConflictError) as caught:
            client.sessions.create(ttl=900, idempotency_key=key)
        assert "idempotency_conflict" == caught.value.code


def test_sessions_do_not_share_files(client: Buntime) -> None:
    """A file of one session does not exist in another."""
    with client.sessions.create() as one, client.sessions.create() as other:
        one.files.write("mine.txt", "mine")
        assert [] == other.files.list()
        with pytest.raises(FileNotFoundError):
            other.files.read("mine.txt")


def test_an_unknown_session_is_not_found(client: Buntime) -> None:
    """An id that never existed raises the same error as a deleted one."""
    with pytest.raises(SessionNotFoundError):
        client.sessions.info(UNKNOWN)
    with pytest.raises(SessionNotFoundError):
        client.execute(session_id=UNKNOWN, code=programs.HELLO)


def test_close_deletes_what_the_client_created(transport: Transport) -> None:
    """With delete_on_close, closing a client deletes its own sessions, but not attached ones."""
    with Buntime("btk_of_the_contract_suite", transport=transport, delete_on_close=True) as client:
        created = client.sessions.create()
        watcher = client.with_options(max_retries=0)
        client._context.delete_owned()
        with pytest.raises(SessionNotFoundError):
            watcher.sessions.info(created.id)
