"""A client with its own ``Authorization`` sent the API key instead, after it was pickled and loaded."""

from __future__ import annotations

import pickle

import pytest

from buntime import Buntime
from buntime.transport import HTTPTransport
from tests.support import responses
from tests.support.loopback import LoopbackServer, json_reply

_URL = "http://127.0.0.1:1"


@pytest.mark.parametrize("value", ["Basic dXNlcjpwYXNz", "Bearer token-of-a-gateway"])
def test_a_client_with_its_own_authorization_does_not_pickle(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither if it was made with the header, nor if the header replaced the key's."""
    monkeypatch.setenv("BUNTIME_API_KEY", "btk_of_the_environment")
    headers = {"authorization": value}
    with Buntime(base_url=_URL, headers=headers) as own, Buntime(base_url=_URL) as client:
        for each in (own, client.with_options(headers=headers)):
            with pytest.raises(TypeError, match="'authorization' does not pickle"):
                pickle.dumps(each)


def test_a_client_that_found_its_key_pickles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also after its first call, which read the key; the copy sends the key of its own environment."""
    with LoopbackServer(json_reply(responses.INFO)) as server:
        with Buntime(transport=HTTPTransport(server.url), api_key="btk_passed") as passed:
            copies = [pickle.dumps(passed)]
        with Buntime(base_url=server.url) as found:
            copies.append(pickle.dumps(found))
            monkeypatch.setenv("BUNTIME_API_KEY", "btk_found")
            found.sessions.info("ses_1")
            copies.append(pickle.dumps(found))
        monkeypatch.setenv("BUNTIME_API_KEY", "btk_other")
        for pickled in copies:
            with pickle.loads(pickled) as other:
                other.sessions.info("ses_1")
        sent = [request.headers["Authorization"] for request in server.requests]
    assert ["Bearer btk_found", *["Bearer btk_other"] * 3] == sent
