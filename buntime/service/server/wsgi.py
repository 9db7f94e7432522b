"""A service as a WSGI application."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Callable, Optional, Union
from urllib.parse import parse_qsl, quote

from buntime._http import Body, Pairs, Request, Response
from buntime.service.errors import as_service_error
from buntime.service.presigned import PREFIX
from buntime.service.server.access import AccessControl

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

access_log: logging.Logger = logging.getLogger("buntime.access")


class _ResponseBody:
    """The body of a response for the WSGI server, which closes it; then the request is logged."""

    def __init__(self, response: Response, close: Callable[[], None]) -> None:
        self._response = response
        self.close = close

    def __iter__(self) -> Iterator[bytes]:
        return self._response.chunks


def application(
    handle: Callable[[Request], Response], access: Optional[AccessControl] = None
) -> Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]:
    """Return the function ``handle`` as a WSGI application, behind ``access``.

    The headers of a stream are sent when the execution has started, before there is output. The logger
    ``buntime.access`` gets a line for each request.
    """
    access = AccessControl() if access is None else access

    def respond(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        started = time.perf_counter()
        try:
            response = _public(environ)
            if response is None:
                target = _path(environ), environ.get("QUERY_STRING", "")
                access.check(environ["REQUEST_METHOD"], _headers(environ), *target)
                response = handle(_request(environ))
        except Exception as error:
            response = _error_response(_path(environ), error)

        def close() -> None:
            response.close()
            access_log.info(
                "%s %s %s %d %.0f ms",
                environ.get("REMOTE_ADDR", "-"),
                environ["REQUEST_METHOD"],
                _path(environ),
                response.status,
                1000 * (time.perf_counter() - started),
            )

        phrase = HTTPStatus(response.status).phrase
        write = start_response(f"{response.status} {phrase}", list(response.headers.items()))
        if environ["REQUEST_METHOD"] == "HEAD":
            close()
            return []
        if "Content-Length" not in response.headers:
            # A server sends the headers with the first bytes of the body, which may be minutes away.
            try:
                write(b"")
            except BaseException:
                close()
                raise
        return _ResponseBody(response, close)

    return respond


def _public(environ: WSGIEnvironment) -> Optional[Response]:
    """Return the response to ``/health`` and for the documents of both APIs, which need no key."""
    path = environ.get("PATH_INFO", "")
    documents = ("/openapi.json", "/runloop-openapi.json")
    if environ["REQUEST_METHOD"] not in {"GET", "HEAD"} or path not in {"/health", *documents}:
        return None
    body = b'{"status": "ok"}' if path == "/health" else (Path(__file__).parent / path[1:]).read_bytes()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    return Response(200, headers, [body])


def _error_response(path: str, error: Exception) -> Response:
    if path.startswith("/v1/"):
        from buntime.service.devboxes.errors import error_response

        return error_response(error)
    return as_service_error(error).response()


def _headers(environ: WSGIEnvironment) -> dict[str, str]:
    """Return the request's headers, their names in upper case with underscores."""
    headers = {name[len("HTTP_") :]: value for name, value in environ.items() if name.startswith("HTTP_")}
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            headers[name] = environ[name]
    return headers


def _path(environ: WSGIEnvironment) -> str:
    # WSGI passes the Latin-1 reading of the decoded path; the model reads it percent-encoded.
    return quote(environ.get("PATH_INFO", "").encode("latin-1"), safe="/~!$&'()*+,;=:@") or "/"


def _request(environ: WSGIEnvironment) -> Request:
    headers = _headers(environ)
    source: BinaryIO = environ["wsgi.input"]
    length = int(headers.get("CONTENT_LENGTH", 0))
    path = _path(environ)
    body: Union[bytes, Body, None] = None
    if length:  # an object may be larger than memory
        body = Body(lambda: source, length) if path.startswith(PREFIX) else source.read(length)
    return Request(
        environ["REQUEST_METHOD"],
        path,
        query=_query(environ.get("QUERY_STRING", "")),
        headers=tuple((name.replace("_", "-").title(), value) for name, value in headers.items()),
        body=body,
    )


def _query(text: str) -> Pairs:
    """Return the pairs of a query; bytes that are not UTF-8 become surrogates, which the model rejects."""
    unicode = text.encode("latin-1").decode("utf-8", "surrogateescape")
    return tuple(parse_qsl(unicode, keep_blank_values=True, errors="surrogateescape"))
