"""A response made by hand failed on its missing ``raw``; an error of a double read as one of the network."""

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
from tests.support.exchanges import PATIENT, failed
from tests.support.responses import RESULT

URL = "http://api.invalid"
KEY = "btk_0123456789abcdef"


def _hand_made(body: Optional[bytes] = b'{"ok": true}') -> requests.Response:
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
def test_hand_made_response(body: Optional[bytes], expected: bytes) -> None:
    """One with ``_content`` and no ``raw`` is read, by whichever adapter it comes."""
    with _canned(_hand_made(body)) as session, closing(HTTPTransport(URL, session=session)) as transport:
        response = transport.send(PATIENT)
        assert (200, expected) == (response.status, response.read())
        transport.send(PATIENT).close()
        transport.send(PATIENT).discard()


def test_patched_send() -> None:
    """And one that a patched ``Session.send`` returns."""
    with (
        mock.patch("requests.Session.send", return_value=_hand_made(json.dumps(RESULT).encode())),
        Buntime(KEY, base_url=URL) as client,
    ):
        assert RESULT["stdout"] == client.execute(session_id="ses_1", code="1").stdout


def test_hand_made_stream() -> None:
    """One whose ``raw`` is any file."""
    response = _hand_made()
    response._content = False  # type: ignore[assignment]  # not read yet, as requests writes it
    response.raw = io.BytesIO(b"data")
    with _canned(response) as session, closing(HTTPTransport(URL, session=session)) as transport:
        assert [b"data"] == list(transport.send(PATIENT).chunks)


def test_error_of_a_double() -> None:
    """A request that ``responses`` does not expect is no failure of the network: its text is shown."""
    with responses.RequestsMock(), closing(HTTPTransport(URL)) as transport:
        error = failed(transport)
    assert "Connection refused by Responses" in error.message
    assert f"POST {URL}/execute" in error.message


def test_error_raised_by_a_user() -> None:
    """A bare error of requests says what it was given."""
    with responses.RequestsMock() as web, closing(HTTPTransport(URL)) as transport:
        web.post(f"{URL}/execute", body=requests.ConnectionError("the cable is out"))
        assert "the cable is out" in failed(transport).message


def test_error_is_of_the_right_kind() -> None:
    """A double that raises an error of requests has buntime's in its place."""
    with (
        _canned(_hand_made()) as session,
        closing(HTTPTransport(URL, session=session)) as transport,
        mock.patch.object(session, "send", side_effect=requests.ReadTimeout("slow")),
        pytest.raises(APIConnectionError, match="did not answer within 20 s"),
    ):
        transport.send(PATIENT)
