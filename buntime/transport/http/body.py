"""The body of a requests response, in the pieces in which it arrives."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from typing import Any

import requests
from urllib3.response import DeflateDecoder, GzipDecoder

from buntime._support.owner import Owner
from buntime.errors import APIConnectionError
from buntime.transport.http.connection import Attempt
from buntime.transport.http.errors import FAILURES, connection_error

_SIZE = 65536
_ENCODED_SIZE = 4096
"""Bytes that are decoded in one go, which gives a thousand times as many at most."""
_DECODERS = {"gzip": GzipDecoder, "x-gzip": GzipDecoder, "deflate": DeflateDecoder}


class ResponseBody:
    """The body of the response to one attempt."""

    def __init__(self, response: requests.Response, attempt: Attempt) -> None:
        self._response, self._attempt = response, attempt
        self._complete = self._closed = False
        self._owner = Owner()
        attempt.stage = "body"

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it arrives. In a forked child, which would steal it, raise ``RuntimeError``."""
        self._check_open()
        try:
            # Reading ends in one of three ways: complete, and the connection may be used again; closed by the
            # reader; or failed. In the last two cases it is closed, as bytes of this response may still come.
            for piece in self._pieces():
                paused = self._attempt.now()
                yield piece
                self._attempt.pause(self._attempt.now() - paused)
                self._check_open()
        except FAILURES as error:
            self.discard()
            raise connection_error(error, self._attempt) from error
        except (AttributeError, ValueError):
            # While another thread closes the response, http.client fails so, or ends as if it were complete.
            self._check_open()
            raise
        self._check_open()
        self._complete = True

    def close(self) -> None:
        """Give the connection back after the whole body, else close it. Idempotent."""
        release = getattr(self._response.raw, "release_conn", None)
        if self._complete and release is not None:
            release()
        else:
            self.discard()

    def discard(self) -> None:
        """Close the connection, whatever was read. Idempotent."""
        self._closed = True
        if self._response.raw is not None:
            self._response.raw.close()
            self._response.close()

    def __del__(self) -> None:
        # Of a response that was read and never closed.
        if self._owner.is_this_process():
            self.close()

    def _check_open(self) -> None:
        if not self._owner.is_this_process():
            raise RuntimeError(
                "this answer belongs to the process that made the call; make a call in this process"
            )
        if self._closed:
            raise APIConnectionError("the response was closed before its end", phase="read")

    def _pieces(self) -> Iterator[bytes]:
        """Read from http.client's response, whose ``read1`` returns with the bytes that have come.

        urllib3 has that since 2.2 only. It keeps the response under a private name, which requests uses too.
        Anything else in its place (a mock, a cache) is read as requests does.
        """
        response = self._response
        source: Any = getattr(response.raw, "_original_response", None)
        if response.raw is None:
            return iter([response.content] if response.content else [])
        if not isinstance(source, http.client.HTTPResponse):
            return response.iter_content(_SIZE)
        # Closed: there was no body, or a hook has read it already. urllib3 1 then takes a part for the whole.
        if source.isclosed():
            if source.length:
                raise http.client.IncompleteRead(b"", source.length)
            return response.iter_content(_SIZE)
        encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding == "identity":
            return _read1(source)
        if encoding in _DECODERS:
            return _decode(_read1(source), _DECODERS[encoding]())
        accepted = str(response.request.headers.get("Accept-Encoding", "")).split(",")
        if encoding in {name.partition(";")[0].strip().lower() for name in accepted}:
            return response.iter_content(_SIZE)
        # Two encodings in a row can hide a gigabyte in a kilobyte.
        problem = f"is encoded as {encoding!r}, which was not asked for"
        raise APIConnectionError(f"the answer from {self._attempt.peer} {problem}", phase="read")


def _read1(source: http.client.HTTPResponse) -> Iterator[bytes]:
    remaining = source.length
    while remaining != 0 and (piece := source.read1(_SIZE if remaining is None else min(_SIZE, remaining))):
        remaining = None if remaining is None else remaining - len(piece)
        yield piece
    if remaining:
        raise http.client.IncompleteRead(b"", remaining)
    source.close()


def _decode(pieces: Iterator[bytes], decoder: Any) -> Iterator[bytes]:
    for piece in pieces:
        for start in range(0, len(piece), _ENCODED_SIZE):
            if decoded := decoder.decompress(piece[start : start + _ENCODED_SIZE]):
                yield decoded
    if rest := decoder.flush():
        yield rest
