"""The content of objects, to and from presigned URLs: without a key, a header or a cookie of the client."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Optional
from urllib.parse import parse_qsl, urlsplit

from buntime._http import Body, BufferedResponse, Request
from buntime._support.log import logger
from buntime.errors import APIError, BuntimeError, InvalidResponseError
from buntime.runloop.connection import Connection
from buntime.runloop.wire.error_responses import decode_error
from buntime.runloop.wire.routes import Repeat, Route
from buntime.runloop.wire.views.storage import ObjectView

_EXPIRED = "A presigned URL expires, and the storage accepts no other request with it: get a new one"


def upload(connection: Connection, view: ObjectView, body: Body) -> None:
    """Send the content of a new object. It is repeated: the second time has the same result."""
    connection.caller.call(
        _request("PUT", view.upload_url or "", body, view.upload_headers),
        lambda _response: None,
        idempotent=True,
        decode_error=_decode_error,
    )


def download(connection: Connection, url: str) -> bytes:
    """Return the content at a URL."""
    request = _request("GET", url)
    return connection.caller.call(
        request, lambda response: response.body, idempotent=True, decode_error=_decode_error
    )


def download_to(connection: Connection, url: str, path: Path) -> None:
    """Write the content at a URL to a file, which replaces ``path`` when it is complete."""
    part = path.with_name(f".{path.name}.{os.urandom(4).hex()}.part")
    response, chunks, _ = connection.caller.stream(
        _request("GET", url), idempotent=True, read_timeout=None, decode_error=_decode_error
    )
    try:
        with response, open(part, "wb") as file:
            for chunk in chunks:
                file.write(chunk)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def discard(connection: Connection, view: ObjectView) -> None:
    """Delete an object whose upload failed; a failure to do so is logged."""
    try:
        with connection.caller.one_deadline():
            connection.call("objects.delete", view.id)
    except BuntimeError as failure:
        logger().warning("the object %s was not deleted: %s", view.id, failure)


def _request(
    method: str, url: str, body: Optional[Body] = None, headers: Optional[Mapping[str, str]] = None
) -> Request:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise InvalidResponseError("the service returned a presigned URL that is not one of HTTP")
    query = tuple(parse_qsl(parts.query, keep_blank_values=True))
    return Request(
        method,
        parts.path or "/",
        query,
        (("Accept", "*/*"), *(headers or {}).items()),
        body,
        origin=f"{parts.scheme}://{parts.netloc}",
    )


def _decode_error(request: Request, response: BufferedResponse) -> BuntimeError:
    error = decode_error(Route("", request.method, request.path, Repeat.WRITE), request, response)
    if isinstance(error, APIError) and error.status in {400, 401, 403}:
        error.hint = _EXPIRED
    return error
