"""A server without an API key executed requests that a foreign web page sent."""

from __future__ import annotations

import http.client
import json
import os
import signal
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from buntime.service.server.serve import serve
from buntime.transport import FakeTransport
from tests.support.openapi import DOCUMENT, violations_of

FORBIDDEN = DOCUMENT["components"]["responses"]["ForbiddenHost"]
FOREIGN = [
    "page.invalid",
    "page.invalid:80",
    "127.0.0.1.page.invalid",
    "192.0.2.1:8000",
    "[2001:db8::1]:1",
    "",
    "[]",
]
OWN = ["localhost", "LOCALHOST:1", "127.0.0.1", "127.8.9.1:8000", "[::1]", "[::1]:8000"]
FOREIGN_ORIGINS = ["https://page.invalid", "http://localhost.page.invalid:80", "null", "http://[", ""]
OWN_ORIGINS = ["http://localhost:3000", "http://127.0.0.1", "https://[::1]:8000"]


def _responses(requests: list[dict[str, str]], api_key: str | None = None) -> list[tuple[int, Any]]:
    """Serve while creating a session with each of these sets of headers; return statuses and bodies."""

    def create_all(url: str) -> list[tuple[int, Any]]:
        try:
            return [_create(url, headers) for headers in requests]
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    with ThreadPoolExecutor(1) as thread:
        futures: list[Future[list[tuple[int, Any]]]] = []
        serve(
            FakeTransport(),
            host="127.0.0.1",
            port=0,
            api_key=api_key,
            threads=1,
            ready=lambda url: futures.append(thread.submit(create_all, url)),
        )
        return futures[0].result()


def _create(url: str, headers: dict[str, str]) -> tuple[int, Any]:
    with closing(http.client.HTTPConnection(url.rpartition("/")[2], timeout=60)) as connection:
        connection.putrequest("POST", "/sessions/create", skip_host=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        body = response.read()
        if response.status == 403:
            assert [] == violations_of(FORBIDDEN, dict(response.headers), body)
        return response.status, json.loads(body)


def test_another_host_is_rejected() -> None:
    """A foreign host name that resolves to this machine is rejected, and the error contains advice."""
    for (status, body), host in zip(_responses([{"Host": host} for host in FOREIGN]), FOREIGN):
        assert (403, "forbidden_host") == (status, body["error"]["code"]), host
        assert {"header": "Host", "value": host} == body["error"]["details"]
        assert "--api-key" in body["error"]["message"]


def test_another_origin_is_rejected() -> None:
    """A foreign origin is rejected, whichever address the page uses."""
    requests = [{"Host": "127.0.0.1", "Origin": origin} for origin in FOREIGN_ORIGINS]
    responses = _responses(requests)
    assert [(403, "Origin")] * len(requests) == [
        (status, body["error"]["details"]["header"]) for status, body in responses
    ]


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_a_page_of_this_machine_needs_permission(content_type: str | None) -> None:
    """Browsers send these types without a preflight request, and JSON with one, which the server rejects."""
    kind = {} if content_type is None else {"Content-Type": content_type}
    responses = _responses([{**kind, "Host": "127.0.0.1", "Origin": origin} for origin in OWN_ORIGINS])
    for status, body in responses:
        assert (403, "forbidden_host") == (status, body["error"]["code"])
        assert {"header": "Content-Type", "value": content_type or ""} == body["error"]["details"]


@pytest.mark.parametrize("api_key", [None, "key"])
def test_this_machine_is_served(api_key: str | None) -> None:
    """All names of this machine are served, as are pages of local servers and requests without a host."""
    key = {"Authorization": f"Bearer {api_key}"}
    requests = [{**key, "Host": host} for host in OWN]
    json_type = {"Content-Type": "application/json"}
    requests += [{**key, **json_type, "Host": "localhost", "Origin": origin} for origin in OWN_ORIGINS]
    assert [200] * (len(requests) + 1) == [status for status, _ in _responses([*requests, key], api_key)]


def test_a_key_permits_every_host() -> None:
    """A foreign page does not know the key."""
    key = {"Authorization": "Bearer key"}
    requests = [
        {**key, "Host": "server.invalid"},
        {**key, "Host": "x.invalid", "Origin": "https://page.invalid"},
    ]
    assert [200, 200] == [status for status, _ in _responses(requests, "key")]
