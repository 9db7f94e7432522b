"""A mocked response without ``raw`` failed, and a mock's own error was reported as a network error."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, Optional
from unittest import mock

import pytest
import requests
import responses
from requests.adapters import HTTPAdapter

from buntime import APIConnectionError, Buntime
from buntime.transport import HTTPTransport
from tests.support.exchanges import PATIENT, connection_error
from tests.support.responses import RESULT

URL = "http://api.invalid"
KEY = "btk_0123456789abcdef"


def _mocked(body: Optional[bytes] = b'{"ok": true}') -> requests.Response:
    response = requests.Response()
    response.status_code = 200
    response._content = body
    return response


@contextmanager
def _canned(response: requests.Response) -> Iterator[requests.Session]:
    class Canned(HTTPAdapter):
        def send(self, *_: Any, **__: Any) -> requests.Response:
            return response

    with requests.Session() as session:
        session.mount(URL, Canned())
        yield session


@pytest.mark.parametrize(("body", "expected"), [(b'{"ok": true}', b'{"ok": true}'), (b"", b""), (None, b"")])
def test_mocked_response(body: Optional[bytes], expected: bytes) -> None:
    """A response with ``_content`` but without ``raw`` is read, whichever adapter returns it."""
    with _canned(_mocked(body)) as session, closing(HTTPTransport(URL, session=session)) as transport:
        response = transport.send(PATIENT)
        assert (200, expected) == (response.status, response.read())
        transport.send(PATIENT).close()
        transport.send(PATIENT).discard()


def test_patched_send() -> None:
    """A response from a patched ``Session.send`` is read."""
    with (
        mock.patch("requests.Session.send", return_value=_mocked(json.dumps(RESULT).encode())),
        Buntime(KEY, base_url=URL) as client,
    ):
        assert RESULT["stdout"] == client.execute(session_id="ses_1", code="1").stdout


def test_mocked_stream() -> None:
    """A response whose ``raw`` is any file object is read."""
    response = _mocked()
    response._content = False  # type: ignore[assignment]  # requests uses False for content that is not read yet
    response.raw = io.BytesIO(b"data")
    with _canned(response) as session, closing(HTTPTransport(URL, session=session)) as transport:
        assert [b"data"] == list(transport.send(PATIENT).chunks)


def test_error_of_a_mock() -> None:
    """The error of an unexpected request contains the text of ``responses``."""
    with responses.RequestsMock(), closing(HTTPTransport(URL)) as transport:
        error = connection_error(transport)
    assert "Connection refused by Responses" in error.message
    assert f"POST {URL}/execute" in error.message


def test_error_passed_to_a_mock() -> None:
    """A bare error of requests keeps its message."""
    with responses.RequestsMock() as web, closing(HTTPTransport(URL)) as transport:
        web.post(f"{URL}/execute", body=requests.ConnectionError("the cable is out"))
        assert "the cable is out" in connection_error(transport).message


def test_error_type() -> None:
    """An error of requests that a mock raises becomes a buntime error."""
    with (
        _canned(_mocked()) as session,
        closing(HTTPTransport(URL, session=session)) as transport,
        mock.patch.object(session, "send", side_effect=requests.ReadTimeout("slow")),
        pytest.raises(APIConnectionError, match="did not answer within 20 s"),
    ):
        transport.send(PATIENT)
