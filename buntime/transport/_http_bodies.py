"""The body of a requests response, in the pieces in which it arrives."""

from __future__ import annotations

import http.client
import os
from collections.abc import Iterator
from typing import Any, Callable

import requests
import urllib3

from buntime.errors import APIConnectionError
from buntime.transport._http_failures import FAILURES

_SIZE = 65536


class Body:
    """One response's body; ``fail`` makes the error for what goes wrong while it is read."""

    def __init__(
        self, response: requests.Response, fail: Callable[[BaseException], APIConnectionError]
    ) -> None:
        self._response = response
        self._fail = fail
        self._closed = False
        self._owner = os.getpid()

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it arrives and give the connection back at its end.

        In a forked child, which would take bytes away from its parent, it raises ``RuntimeError``.
        """
        self._check_process()
        pieces = iter(()) if self._closed else _pieces(self._response)
        try:
            for piece in pieces:
                yield piece
                self._check_process()
                if self._closed:
                    break
        except FAILURES as error:
            self.close()
            raise self._fail(error) from error
        if self._closed:
            raise APIConnectionError("the response was closed before its end", phase="read")
        _release(self._response)

    def close(self) -> None:
        """Close the connection, unless it was given back. Idempotent."""
        self._closed = True
        self._response.close()

    def _check_process(self) -> None:
        if os.getpid() != self._owner:
            raise RuntimeError(
                "this answer belongs to the process that made the call; make a call in this process"
            )


def _release(response: requests.Response) -> None:
    release = getattr(response.raw, "release_conn", None)
    if release is not None:
        release()


def _pieces(response: requests.Response) -> Iterator[bytes]:
    """Choose the call that returns with what there is.

    ``iter_content`` and ``raw.stream`` wait until 64 KiB have come of a body that ends with its
    connection, so they serve only what is no such body.
    """
    raw: Any = response.raw
    is_real = isinstance(raw, urllib3.HTTPResponse) and not getattr(response, "_content_consumed", False)
    if not is_real:
        return response.iter_content(_SIZE)
    raw.enforce_content_length = True  # urllib3 1.26 leaves it out, and a cut body looks whole
    if hasattr(raw, "read1") and hasattr(getattr(raw, "_fp", None), "read1"):
        return _read1(raw)
    if _ends_with_connection(raw):
        return _read1_before_urllib3_2_2(raw)
    return _stream(raw)


def _read1(raw: Any) -> Iterator[bytes]:
    plain = "content-encoding" not in raw.headers
    while piece := raw.read1(_SIZE, decode_content=True):
        yield piece
        if plain and raw.length_remaining == 0:
            return


def _stream(raw: Any) -> Iterator[bytes]:
    yield from raw.stream(_SIZE, decode_content=True)


def _ends_with_connection(raw: Any) -> bool:
    return isinstance(raw._fp, http.client.HTTPResponse) and raw._fp.length is None and not raw.chunked


def _read1_before_urllib3_2_2(raw: Any) -> Iterator[bytes]:
    """Do what ``read1`` does in later releases, with the parts that the earlier ones have."""
    raw._init_decoder()
    received = b"-"
    while received:
        with raw._error_catcher():
            received = raw._fp.read1(_SIZE)
        if piece := raw._decode(received, True, not received):
            yield piece
