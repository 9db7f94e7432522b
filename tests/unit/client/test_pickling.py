"""Pickling and copying of clients and sessions."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests

from buntime import Buntime, BuntimeError, ConfigurationError, Session
from buntime.transport import (
    FakeTransport,
    FunctionTransport,
    HTTPTransport,
    RecordingTransport,
    ReplayTransport,
    Transport,
)
from tests.support import responses
from tests.support.loopback import LoopbackServer, json_reply

_KEY = "btk_" + "K3Y" * 5


def _note(error: BuntimeError, attempt: int) -> None:
    """Stand for a callback of the user."""


def test_a_pickle_has_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading reads the key from the environment and raises an error if there is none."""
    with Buntime(_KEY) as client:
        pickled = pickle.dumps(client)
    assert _KEY.encode() not in pickled
    with pytest.raises(ConfigurationError, match="BUNTIME_API_KEY"):
        pickle.loads(pickled)
    monkeypatch.setenv("BUNTIME_API_KEY", "btk_other")
    with LoopbackServer(json_reply(responses.INFO)) as server, Buntime(_KEY, base_url=server.url) as client:
        with pickle.loads(pickle.dumps(client)) as other:
            other.sessions.info("ses_1")
        assert ["Bearer btk_other"] == [request.headers["Authorization"] for request in server.requests]


def test_a_pickle_has_no_header_with_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client with other credentials in its headers does not pickle; other headers do."""
    with Buntime(_KEY, headers={"X-Team": "blue"}) as client:
        pickled = pickle.dumps(client)
    assert _KEY.encode() not in pickled
    monkeypatch.setenv("BUNTIME_API_KEY", "btk_other")
    with pickle.loads(pickled) as other:
        assert ("X-Team", "blue") in other._context.caller.headers
    with Buntime(_KEY, headers={"Cookie": "secret"}) as client, pytest.raises(TypeError, match="cookie"):
        pickle.dumps(client)


def test_the_options_are_pickled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pickle has the base URL, ``delete_on_close`` and ``on_retry`` too."""
    monkeypatch.setenv("BUNTIME_API_KEY", _KEY)
    options: dict[str, Any] = {"timeout": 7.0, "deadline": 70.0, "max_retries": 5, "retry_delay": 0.5}
    with (
        Buntime(base_url="http://127.0.0.1:1/x", on_retry=_note, delete_on_close=True, **options) as client,
        pickle.loads(pickle.dumps(client.with_options(max_retries=6))) as other,
    ):
        ours, theirs = client._context.caller, other._context.caller
        assert (ours.timeout, ours.deadline, ours.on_retry) == (theirs.timeout, theirs.deadline, _note)
        assert (6, 0.5) == (theirs.policy.max_retries, theirs.policy.retry_delay)
        assert repr(ours.transport) == repr(theirs.transport)
        assert theirs.transport is not ours.transport
        assert other._context.owned is not None
        assert [] == other._context.owned.except_for(())


def test_a_copy_closes_its_own_transport(monkeypatch: pytest.MonkeyPatch) -> None:
    """The original stays open. A copy in this process shares the transport and does not close it."""
    monkeypatch.setenv("BUNTIME_API_KEY", _KEY)
    with LoopbackServer(json_reply(responses.INFO)) as server, Buntime(base_url=server.url) as client:
        other = pickle.loads(pickle.dumps(client))
        other.close()
        with pytest.raises(RuntimeError, match="closed"):
            other.sessions.info("ses_1")
        copy.copy(client).close()
        copy.deepcopy(client).close()
        assert "active" == client.sessions.info("ses_1").state


def test_a_session_pickles_as_attached(monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy has the same attributes, and leaving its block deletes nothing."""
    monkeypatch.setenv("BUNTIME_API_KEY", _KEY)
    replies = (json_reply(responses.CREATED), json_reply(responses.INFO))
    with LoopbackServer(*replies) as server, Buntime(base_url=server.url, delete_on_close=True) as client:
        session = client.sessions.create()
        other: Session = pickle.loads(pickle.dumps(session))
        with closing(other._context.caller.transport), other:
            assert (session.id, session.expires_at) == (other.id, other.expires_at)
            assert (session.preview_url, session.resource_limits) == (
                other.preview_url,
                other.resource_limits,
            )
            assert "active" == other.info().state
        assert ["POST", "GET"] == [request.method for request in server.requests]
        client._context.owned = None


@pytest.mark.parametrize(
    "transport", [FakeTransport(), FunctionTransport(lambda request: responses.as_json({}))]
)
def test_other_transports_do_not_pickle(transport: Transport) -> None:
    """The error has the reason."""
    client = Buntime(transport=transport)
    for subject in (client, client.sessions.attach("ses_1")):
        with pytest.raises(TypeError, match=f"{type(transport).__name__}.*lives in this process"):
            pickle.dumps(subject)


@pytest.mark.parametrize("kind", ["fake", "replay", "recording", "stream", "stay_awake"])
def test_other_objects_do_not_pickle_or_copy(kind: str, tmp_path: Path) -> None:
    """The error is the same for both."""
    fake = FakeTransport()
    fake.on_execute("1", stdout="1")
    recording = RecordingTransport(tmp_path / "x.json", fake)
    with Buntime(transport=recording) as client:
        session = client.sessions.create()
        stream = session.stream("1")
        objects: dict[str, object] = {
            "fake": fake,
            "recording": recording,
            "stream": stream,
            "stay_awake": session.stay_awake(),
        }
        list(stream)
    objects["replay"] = ReplayTransport(tmp_path / "x.json")
    names = {"stream": "ExecuteStream", "stay_awake": "StayAwake"}
    name = names.get(kind, f"{kind.title()}Transport")
    for duplicate in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match=f"a {name} does not pickle: it lives in"):
            duplicate(objects[kind])


def test_an_unpickled_process_is_unowned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaving its block in another process kills nothing, even if that process has the same pid."""
    monkeypatch.setenv("BUNTIME_API_KEY", _KEY)
    started = json_reply({**responses.RESULT, "stdout": '{"number": 1, "pid": 7}'})
    with LoopbackServer(started) as server, Buntime(base_url=server.url) as client:
        process = client.sessions.attach("ses_1").start("serve()")
        for other in (pickle.loads(pickle.dumps(process)), copy.copy(process)):
            with other:
                assert (1, 7, "<Process 1 of ses_1>") == (other.number, other.pid, repr(other))
        assert 1 == len(server.requests)


def test_a_client_with_a_custom_requests_session_does_not_pickle() -> None:
    """Its connections and adapters belong to this process."""
    with (
        requests.Session() as http_session,
        Buntime(_KEY, transport=HTTPTransport(session=http_session)) as client,
        pytest.raises(TypeError, match="session="),
    ):
        pickle.dumps(client)


def test_a_client_without_a_key_loads_without_a_key() -> None:
    """A client of a local ``buntime serve`` is an example."""
    with Buntime(transport=HTTPTransport("http://127.0.0.1:1")) as client:
        pickle.loads(pickle.dumps(client)).close()


_OTHER_PROCESS = """
import pickle, sys
session = pickle.load(sys.stdin.buffer)
print(session.id, session.info().state)
"""


def test_a_session_works_in_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """It connects to the service with the key of that process."""
    monkeypatch.setenv("BUNTIME_API_KEY", _KEY)
    with LoopbackServer(json_reply(responses.INFO)) as server, Buntime(base_url=server.url) as client:
        done = subprocess.run(
            [sys.executable, "-c", _OTHER_PROCESS],
            input=pickle.dumps(client.sessions.attach("ses_1")),
            capture_output=True,
            timeout=60,
            check=True,
        )
    assert (b"ses_1 active\n", b"") == (done.stdout, done.stderr)
