"""vcrpy could not save a request with an API key in YAML, and a hook could not copy the request."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import requests
from requests.adapters import HTTPAdapter

from buntime import Buntime
from buntime.transport import HTTPTransport
from tests.support.loopback import LoopbackServer, json_reply
from tests.support.responses import RESULT

KEY = "btk_0123456789abcdef"


@pytest.mark.parametrize("serializer", ["yaml", "json"])
def test_vcrpy_saves_a_request_with_a_key(tmp_path: Path, serializer: str) -> None:
    """Both formats work, and the program replays from the file without a server."""
    import vcr  # type: ignore[import-untyped]  # vcrpy ships no types

    cassette = tmp_path / f"cassette.{serializer}"

    def execute(url: str) -> str:
        with (
            vcr.use_cassette(str(cassette), serializer=serializer, record_mode="once"),
            Buntime(KEY, base_url=url) as client,
        ):
            return client.execute(session_id="ses_1", code="1").stdout

    with LoopbackServer(json_reply(RESULT)) as server:
        assert RESULT["stdout"] == execute(server.url)
    assert RESULT["stdout"] == execute(server.url)
    assert KEY in cassette.read_text()
    assert "!!python" not in cassette.read_text()
    assert 1 == len(server.requests)


@pytest.mark.parametrize("with_cookies", [True, False])
def test_hook_that_copies_the_request(with_cookies: bool) -> None:
    """Logging and replaying hooks copy the request."""
    copies: list[requests.PreparedRequest] = []
    with LoopbackServer() as server, requests.Session() as session:
        if with_cookies:
            session.cookies.set("a", "1")
        hooks: Any = session.hooks
        hooks["response"] = lambda response, **_: copies.append(response.request.copy())
        with Buntime(KEY, transport=HTTPTransport(server.url, session=session)) as client:
            client.request("GET", "/x")
    sent = copies[0]
    assert {str} == {type(value) for value in sent.headers.values()}
    assert f"Bearer {KEY}" == sent.headers["Authorization"]
    assert ("a=1" if with_cookies else None) == sent.headers.get("Cookie")
    assert str is type(copy.deepcopy(sent).url)


def test_own_session_sends_plain_strings() -> None:
    """A patched adapter receives plain strings, and a cookie jar that stays empty."""
    sent: list[requests.PreparedRequest] = []
    send = HTTPAdapter.send

    def spy(self: HTTPAdapter, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        sent.append(request.copy())
        return send(self, request, **options)

    with (
        LoopbackServer() as server,
        mock.patch.object(HTTPAdapter, "send", spy),
        Buntime(KEY, base_url=server.url, headers={"X-Team": "blue"}) as client,
    ):
        client.request("GET", "/x")
    assert {str} == {type(value) for value in sent[0].headers.values()}
