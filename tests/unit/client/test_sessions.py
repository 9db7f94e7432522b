"""Sessions: attributes, lifetime and deletion."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from typing import Any

import pytest

from buntime import (
    APIConnectionError,
    Buntime,
    ConflictError,
    KillResult,
    ResourceLimits,
    ServerError,
    SessionNotFoundError,
)
from buntime.transport import Response
from tests.support import responses
from tests.support.scripted import ScriptedTransport, Step, always, lost

_ID = responses.CREATED["sessionId"]
_created = always(responses.as_json, responses.CREATED)
_deleted = always(responses.as_json, responses.DELETED)
_gone = always(responses.error, 404, "session_not_found")
_CREATE, _DELETE = "POST /sessions/create", f"DELETE /sessions/{_ID}"


def _client(*steps: Step, **options: Any) -> tuple[Buntime, ScriptedTransport]:
    transport = ScriptedTransport(*steps)
    return Buntime(transport=transport, **options), transport


def test_a_created_session_has_the_fields_of_the_response() -> None:
    """Times are aware, and limits are a `ResourceLimits`."""
    client, transport = _client(_created)
    session = client.sessions.create(ttl=3600, metadata={"a": 1}, resource_limits=ResourceLimits(memory=2048))
    assert _ID == session.id
    assert datetime(2024, 1, 19, 10, 30, tzinfo=timezone.utc) == session.created_at
    assert datetime(2024, 1, 20, 10, 30, tzinfo=timezone.utc) == session.expires_at
    assert "https://ses-abc123def456ghi789.buntime.sh" == session.preview_url
    assert ResourceLimits(memory=1024, cpu=0.25, timeout=30, disk=1024) == session.resource_limits
    assert {"ttl": 3600, "metadata": {"a": 1}, "resourceLimits": {"memory": 2048}} == transport.body()


def test_a_response_with_an_id_alone() -> None:
    """Only the id is required."""
    client, _ = _client(always(responses.as_json, {"sessionId": "ses_1"}, 201))
    session = client.sessions.create()
    assert (None, None, None) == (session.created_at, session.expires_at, session.preview_url)


def test_leaving_the_block_deletes_the_session() -> None:
    """It is deleted once."""
    client, transport = _client(_created, _deleted)
    with client.sessions.create() as session:
        assert _ID == session.id
        assert [_CREATE] == transport.calls
    assert [_CREATE, _DELETE] == transport.calls


def test_leaving_the_block_by_an_error_deletes_the_session() -> None:
    """The error is raised unchanged."""
    client, transport = _client(_created, _deleted)
    with pytest.raises(ZeroDivisionError), client.sessions.create():
        raise ZeroDivisionError
    assert [_CREATE, _DELETE] == transport.calls


@pytest.mark.parametrize("failure", [lost("read"), always(responses.error, 500, ""), RuntimeError("closed")])
def test_a_failed_deletion_masks_nothing(failure: Step, caplog: pytest.LogCaptureFixture) -> None:
    """The caller receives the error of the block; the failed deletion is logged."""
    client, _ = _client(_created, failure, max_retries=0)
    with pytest.raises(ZeroDivisionError), client.sessions.create():
        raise ZeroDivisionError
    assert [f"session {_ID} was not deleted"] == [
        record.message.partition(":")[0] for record in caplog.records
    ]


def test_a_failed_deletion_is_raised_if_the_block_succeeded() -> None:
    """An undeleted session costs money."""
    client, _ = _client(_created, always(responses.error, 500, ""), max_retries=0)
    with pytest.raises(ServerError), client.sessions.create():
        pass


def test_a_session_that_expired_needs_no_deletion() -> None:
    """Its ttl may pass inside the block."""
    client, transport = _client(_created, _gone)
    with client.sessions.create():
        pass
    assert [_CREATE, _DELETE] == transport.calls


def test_deleting_inside_the_block_is_enough() -> None:
    """Leaving the block then sends no deletion."""
    client, transport = _client(_created, _deleted)
    with client.sessions.create() as session:
        session.delete()
    assert [_CREATE, _DELETE] == transport.calls


def test_deleting_twice_fails() -> None:
    """The second deletion raises a `SessionNotFoundError`."""
    client, _ = _client(_created, _deleted, _gone)
    session = client.sessions.create()
    session.delete()
    with pytest.raises(SessionNotFoundError):
        session.delete()


def test_attaching_sends_no_request() -> None:
    """Only the id is known; leaving the block deletes nothing."""
    client, transport = _client(_deleted)
    with client.sessions.attach("ses_1") as session:
        assert "ses_1" == session.id
        unknown = (session.created_at, session.expires_at, session.preview_url, session.resource_limits)
        assert (None,) * 4 == unknown
    assert [] == transport.calls


def test_an_attached_session_can_be_deleted() -> None:
    """An explicit `delete` works."""
    client, transport = _client(_deleted)
    client.sessions.attach("ses_1").delete()
    assert ["DELETE /sessions/ses_1"] == transport.calls


def test_info() -> None:
    """The current state of the session, from the client or the session."""
    client, transport = _client(always(responses.as_json, responses.INFO))
    info = client.sessions.info("ses_1")
    assert info == client.sessions.attach("ses_1").info()
    assert ("active", 2, 1, {"project": "demo"}) == (
        info.state,
        info.files_count,
        info.active_processes,
        info.metadata,
    )
    assert ["GET /sessions/ses_1"] * 2 == transport.calls


def test_kill() -> None:
    """The client and the session can kill one process or all."""
    client, transport = _client(always(responses.as_json, responses.KILLED))
    session = client.sessions.attach("ses_1")
    assert KillResult(1, (1234,)) == session.kill(1234) == client.kill(session_id="ses_1", pid=1234)
    assert {"sessionId": "ses_1", "pid": 1234} == transport.body()
    assert KillResult(1, (1234,)) == session.kill_all() == client.kill_all(session_id="ses_1")
    assert {"sessionId": "ses_1"} == transport.body()


def test_a_conflicting_key_is_an_error() -> None:
    """A key used with different arguments is a conflict."""
    client, _ = _client(always(responses.error, 409, "idempotency_conflict"))
    with pytest.raises(ConflictError):
        client.sessions.create(idempotency_key="k")


def test_delete_on_close_deletes_undeleted_sessions() -> None:
    """It deletes sessions that the client created and did not delete, not those it attached to."""
    ids = iter(["ses_1", "ses_2", "ses_3"])

    def create() -> Response:
        return responses.as_json({"sessionId": next(ids)})

    client, transport = _client(create, create, create, _deleted, delete_on_close=True)
    first, _, third = (client.sessions.create() for _ in range(3))
    client.sessions.attach("ses_9")
    first.delete()
    with third:
        pass
    client.close()
    assert ["DELETE /sessions/ses_1", "DELETE /sessions/ses_3", "DELETE /sessions/ses_2"] == transport.calls[
        3:
    ]
    client.close()
    assert 6 == len(transport.calls)


def test_delete_on_close_covers_derived_clients() -> None:
    """A session created with other options belongs to the original client too."""
    client, transport = _client(_created, _deleted, delete_on_close=True)
    with client.with_options(timeout=5) as other:
        other.sessions.create()
    assert [_CREATE] == transport.calls
    client.close()
    assert [_CREATE, _DELETE] == transport.calls


def test_delete_on_close_continues_after_a_failure() -> None:
    """Every deletion is attempted, then the first error is raised; closing again tries the failed one."""
    ids = iter(["ses_1", "ses_2", "ses_3"])

    def create() -> Response:
        return responses.as_json({"sessionId": next(ids)})

    client, transport = _client(
        create, create, create, lost("read"), _gone, _deleted, _deleted, delete_on_close=True, max_retries=0
    )
    for _ in range(3):
        client.sessions.create()
    with pytest.raises(APIConnectionError):
        client.close()
    assert 6 == len(transport.calls)
    assert 0 == transport.closed
    for _ in range(2):
        client.close()
        assert ["DELETE /sessions/ses_3"] == transport.calls[6:]
        assert 1 == transport.closed


def test_without_delete_on_close_no_session_is_deleted() -> None:
    """Closing a client only closes its connections."""
    client, transport = _client(_created)
    client.sessions.create()
    client.close()
    assert [_CREATE] == transport.calls


def test_the_exit_of_a_client_masks_nothing() -> None:
    """The caller receives the error of the block even if closing fails."""
    client, _ = _client(_created, lost("read"), delete_on_close=True, max_retries=0)
    client.sessions.create()
    with pytest.raises(ZeroDivisionError), client:
        raise ZeroDivisionError


def test_the_exit_of_a_client_raises_a_failed_deletion() -> None:
    """It is raised if the block succeeded, and the transport is closed."""
    client, transport = _client(_created, lost("read"), delete_on_close=True, max_retries=0)
    client.sessions.create()
    with pytest.raises(APIConnectionError), client:
        pass
    client.close()
    assert ([_CREATE, _DELETE], 1) == (transport.calls, transport.closed)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_deletes_nothing() -> None:
    """The session, the transport and ``delete_on_close`` belong to the parent."""
    client, transport = _client(_created, _deleted, delete_on_close=True)
    with client, client.sessions.create() as session:
        child = os.fork()
        if not child:
            session.__exit__(None, None, None)
            client.close()
            os._exit(len(transport.calls) + 10 * transport.closed)
        assert 1 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert [_CREATE, _DELETE] == transport.calls


def test_the_repr_of_a_session_shows_its_id() -> None:
    """It shows no secret."""
    client, _ = _client(_created, api_key="btk_secret")
    assert f"<Session {_ID}>" == repr(client.sessions.create())
    assert "btk_secret" not in repr(client)
