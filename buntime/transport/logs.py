"""A transport that logs its requests and responses with their bodies, and without secrets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Callable, Optional

from buntime._http import CREDENTIALS, Body, Pairs, Request, Response, Secret, Transport, secret_values
from buntime._support.log import debug_logger
from buntime._support.terminal import printable
from buntime.cassette.secrets.detect import looks_secret
from buntime.transport._forwarding import forwarding
from buntime.transport.middleware import MiddlewareTransport

_LARGEST = 64 * 1024
"""Bytes of a body that is parsed and shown; of a larger one the log has the size."""
_SHOWN = 2000
_HIDDEN = "[hidden]"
_VARIABLES = frozenset({"env", "environment_variables", "secrets"})
"""Fields with values that are hidden whatever their names."""


class LoggingTransport(MiddlewareTransport):
    """Logs each request and response at DEBUG, with the logger ``buntime``: headers and JSON bodies.

    Credentials, environment variables, and fields named like a secret are hidden; a long body is cut, and of
    one that is not JSON the log has the size. A stream is passed on as it arrives.
    """

    def __new__(cls, inner: Transport) -> LoggingTransport:
        """Return a transport with the optional protocols of ``inner``."""
        return object.__new__(forwarding(cls, inner))

    def __init__(self, inner: Transport) -> None:
        super().__init__(inner, _send_logged)

    def __repr__(self) -> str:
        return f"LoggingTransport({self._inner!r})"


def _send_logged(request: Request, send: Callable[[Request], Response]) -> Response:
    log = debug_logger()
    if log is None:
        return send(request)
    call = f"{request.method} {printable(request.path)}"
    secrets = secret_values(request.headers)
    size = request.body.size if isinstance(request.body, Body) else len(request.body or b"")
    body = b"" if size > _LARGEST or isinstance(request.body, Body) else request.content
    log.debug("request: %s%s %s", call, _headers(request.headers), _shown(body, size, secrets))
    response = send(request)
    log.debug("response: %s: %d%s", call, response.status, _headers(tuple(response.headers.items())))

    def pass_on() -> Iterator[bytes]:
        size, beginning = 0, b""
        try:
            for chunk in response.chunks:
                size += len(chunk)
                beginning = beginning + chunk if size <= _LARGEST else b""
                yield chunk
        finally:
            log.debug("response body: %s: %s", call, _shown(beginning, size, secrets))

    return Response(
        response.status,
        response.headers,
        pass_on(),
        on_close=response.close,
        on_discard=response.discard,
        max_bytes=response.max_bytes,
    )


def _headers(headers: Pairs) -> str:
    visible = {
        name: _HIDDEN if name.lower() in CREDENTIALS or looks_secret(name) else value
        for name, value in headers
    }
    return printable(f" {visible}") if visible else ""


def _shown(body: bytes, size: int, secrets: list[Secret]) -> str:
    """Return a JSON body without secrets, cut, on one line; the size of any other."""
    try:
        text = json.dumps(_redacted(json.loads(body)), ensure_ascii=False) if body else ""
    except (ValueError, RecursionError):
        text = ""
    if not text:
        return f"({size} bytes)"
    for secret in secrets:
        text = text.replace(json.dumps(secret, ensure_ascii=False)[1:-1], _HIDDEN)
    return printable(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({size} bytes)")


def _redacted(value: Any, name: Optional[str] = None) -> Any:
    if isinstance(value, dict):
        inside = name if name in _VARIABLES else None
        return {key: _redacted(item, inside or key) for key, item in value.items()}
    if isinstance(value, list):
        return [_redacted(item, name) for item in value]
    is_hidden = name is not None and (name in _VARIABLES or looks_secret(name))
    return _HIDDEN if is_hidden and value is not None and not isinstance(value, bool) else value
