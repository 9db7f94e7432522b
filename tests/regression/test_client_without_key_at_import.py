"""A client that was made before the key was set raised an error; a deep copy used another account's key."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest

from buntime import Buntime, ConfigurationError, Session
from tests.support.loopback import LoopbackServer, json_reply
from tests.support.responses import INFO


def _keys(server: LoopbackServer) -> list[str]:
    return [request.headers["Authorization"] for request in server.requests]


def test_the_first_call_reads_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a key it fails and sends nothing; clients with other options read it too."""
    with LoopbackServer(json_reply(INFO)) as server, Buntime(base_url=server.url) as client:
        other = client.with_options(max_retries=0, headers={"X-Team": "blue"})
        for each in (client, other):
            with pytest.raises(ConfigurationError, match="no API key: set BUNTIME_API_KEY"):
                each.sessions.info("ses_1")
        assert [] == server.requests
        monkeypatch.setenv("BUNTIME_API_KEY", "btk_later")
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(client.sessions.info, ["ses_1"] * 8))
        other.sessions.info("ses_1")
        monkeypatch.setenv("BUNTIME_API_KEY", "btk_changed")
        client.sessions.info("ses_1")
        pickle.loads(pickle.dumps(client)).close()
        client.with_options(headers={"Authorization": "Bearer mine"}).sessions.info("ses_1")
    assert ["Bearer btk_later"] * 10 + ["Bearer mine"] == _keys(server)


def test_a_deep_copy_has_the_same_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """So has one of a session, and closing the copy does not close the transport."""
    monkeypatch.setenv("BUNTIME_API_KEY", "btk_of_account_b")
    with (
        LoopbackServer(json_reply(INFO)) as server,
        Buntime("btk_of_account_a", base_url=server.url) as client,
    ):
        session: Session = copy.deepcopy(client.sessions.attach("ses_1"))
        session.info()
        with copy.deepcopy(client) as other:
            other.sessions.info("ses_1")
        client.sessions.info("ses_1")
    assert ["Bearer btk_of_account_a"] * 3 == _keys(server)
