"""The service as a WSGI application."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import IO, TYPE_CHECKING, Callable
from urllib.parse import parse_qsl, quote

from buntime._http import Pairs, Request, Response
from buntime.service.errors import ServiceError
from buntime.service.requests import check_body_size
from buntime.service.server.loopback import check_caller
from buntime.service.sessions.app import Service

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class _Body:
    """The body of a response for the WSGI server, which closes it."""

    def __init__(self, response: Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        return self._response.chunks

    def close(self) -> None:
        self._response.close()


def application(
    service: Service, *, loopback_only: bool = False
) -> Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]:
    """Return ``service`` as a WSGI application.

    With ``loopback_only`` it refuses what :func:`~buntime.service.server.loopback.check_caller` does. The headers
    of a stream are sent when the execution has started, before there is output.
    """

    def respond(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            if loopback_only:
                check_caller(environ.get("HTTP_HOST"), environ.get("HTTP_ORIGIN"))
            response = service.handle(_request(environ))
        except ServiceError as refusal:
            response = refusal.response()
        phrase = HTTPStatus(response.status).phrase
        write = start_response(f"{response.status} {phrase}", list(response.headers.items()))
        if environ["REQUEST_METHOD"] == "HEAD":
            response.close()
            return []
        if "Content-Length" not in response.headers:
            _send_headers(write, response)
        return _Body(response)

    return respond


def _send_headers(write: Callable[[bytes], object], response: Response) -> None:
    try:
        write(b"")
    except BaseException:
        response.close()
        raise


def _request(environ: WSGIEnvironment) -> Request:
    headers = [
        (name[len("HTTP_") :].replace("_", "-").title(), value)
        for name, value in environ.items()
        if name.startswith("HTTP_")
    ]
    if environ.get("CONTENT_TYPE"):
        headers.append(("Content-Type", environ["CONTENT_TYPE"]))
    # WSGI hands the path over as the Latin-1 reading of its decoded bytes; the model takes it quoted.
    path = quote(environ.get("PATH_INFO", "").encode("latin-1"), safe="/~!$&'()*+,;=:@")
    return Request(
        environ["REQUEST_METHOD"],
        path or "/",
        query=_query(environ.get("QUERY_STRING", "")),
        headers=tuple(headers),
        body=_body(environ),
    )


def _query(text: str) -> Pairs:
    """Return the pairs of a query string; what is not UTF-8 becomes surrogates, which the model refuses."""
    unicode = text.encode("latin-1").decode("utf-8", "surrogateescape")
    return tuple(parse_qsl(unicode, keep_blank_values=True, errors="surrogateescape"))


def _body(environ: WSGIEnvironment) -> bytes | None:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    check_body_size(length)
    source: IO[bytes] = environ["wsgi.input"]
    return source.read(length) if length else None
