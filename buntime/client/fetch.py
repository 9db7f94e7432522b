"""Requests to servers in a session, sent by a program in the session."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Mapping
from typing import Any, Optional, Union

import attrs

from buntime import _validate
from buntime._support.export import export
from buntime._support.short_repr import short_repr
from buntime.client.context import Context
from buntime.client.polling import STEP_LIMIT, polls
from buntime.errors import APIStatusError, ConflictError, ResourceLimitError, WaitTimeoutError
from buntime.helpers.content import decode_base64
from buntime.helpers.runner import integer_of, invalid_reply
from buntime.helpers.unique_names import reserve_unique_name
from buntime.wire.constants import HIDDEN_FOLDER

LARGEST = 4 * 1024 * 1024
"""Bytes of a body, either way."""
_READS = frozenset({"GET", "HEAD"})
_TOKEN = re.compile(r"[!#-'*+.^-`|~\w-]+", re.ASCII)
"""A method, and a name of a header, in HTTP."""
_VALUE = re.compile("[^\0\r\n\u0100-\U0010ffff]*")
"""A value of a header."""
_ENV = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


@attrs.frozen
class FetchResponse:
    """The response of a server in a session; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes = attrs.field(repr=False)

    @property
    def text(self) -> str:
        """The content as UTF-8; invalid bytes become ``U+FFFD``."""
        return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        """Parse the content as JSON; ``ValueError`` if it is not JSON."""
        return json.loads(self.content)


def fetch(
    context: Context,
    session_id: str,
    port: int,
    path: str,
    *,
    method: str,
    headers: Optional[Mapping[str, str]],
    body: Union[str, bytes, None],
    timeout: float,
) -> FetchResponse:
    """See :meth:`Session.fetch <buntime.Session.fetch>`."""
    content = _validate.text("body", body).encode() if isinstance(body, str) else body
    if content is not None and not isinstance(content, bytes):
        raise TypeError(f"body must be str or bytes, not {type(body).__name__}")
    arguments = _arguments(port, path, method, headers, content, timeout)
    method, seconds = arguments["method"], arguments["wait"]
    with reserve_unique_name(session_id, f"{HIDDEN_FOLDER}/staged/fetch") as name:
        reply = context.helpers.run(
            session_id,
            "http_send",
            idempotent=method in _READS,
            timeout=math.ceil(seconds) + 10,
            env=_ENV,
            files=None if content is None else {name: base64.b64encode(content).decode()},
            staged=None if content is None else name,
            **arguments,
        )
    if "failed" in reply:
        raise _failure(reply, f"{method} {path} on the session's 127.0.0.1:{port}", seconds)
    pairs = reply.get("headers")
    if not isinstance(pairs, list) or not all(map(_is_pair, pairs)):
        raise invalid_reply("has no headers", reply)
    merged: dict[str, str] = {}
    for name, value in pairs:
        merged[name] = f"{merged[name]}, {value}" if name in merged else value
    return FetchResponse(integer_of(reply, "status"), merged, decode_base64(reply.get("base64")))


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and [*map(type, value)] == [str, str]


def _arguments(
    port: int,
    path: str,
    method: str,
    headers: Optional[Mapping[str, str]],
    content: Optional[bytes],
    timeout: float,
) -> dict[str, Any]:
    """Return the arguments of the helper; ``TypeError`` or ``ValueError`` for one that is wrong."""
    if not _TOKEN.fullmatch(_validate.text("method", method)):
        raise ValueError(f"method is {short_repr(method)}, which HTTP cannot send")
    method = method.upper()
    if content is not None and (method in _READS or len(content) > LARGEST):
        most = "none" if method in _READS else f"at most {LARGEST}"
        raise ValueError(f"body has {len(content)} bytes; a {method} can have {most}")
    seconds = _validate.timeout("timeout", timeout)
    if seconds is None:
        raise TypeError("timeout must be a number of seconds, not None")
    return {
        "port": _validate.port(port),
        "path": _path(path),
        "method": method,
        "headers": _headers(headers),
        "limit": LARGEST,
        "wait": seconds,
    }


def wait_for_http(
    context: Context, session_id: str, port: int, path: str, status: int, timeout: Optional[float]
) -> None:
    """See :meth:`Session.wait_for_http <buntime.Session.wait_for_http>`."""
    arguments: dict[str, Any] = {
        "port": _validate.port(port),
        "path": _path(path),
        "status": _status(status),
    }
    last: Any = None
    for wait in polls(context, _validate.seconds("timeout", timeout)):
        reply = context.helpers.run(
            session_id, "http_wait", idempotent=True, timeout=STEP_LIMIT, env=_ENV, wait=wait, **arguments
        )
        if reply.get("ready") is True:
            return
        last = reply.get("status")
    problem = "nothing responds" if last is None else f"the last response had the status {last}"
    raise WaitTimeoutError(
        f"no status {status} for {path} on the session's 127.0.0.1:{port} after {timeout} s: {problem}"
    )


def _failure(reply: dict[str, Any], request: str, seconds: float) -> Exception:
    if reply["failed"] == "timeout":
        return WaitTimeoutError(f"{request} had no complete response after {seconds} s", maybe_executed=True)
    if reply["failed"] == "too_long":
        message = f"the response to {request} has more than {LARGEST} bytes"
        error: APIStatusError = ResourceLimitError(message, code="response_too_long")
        error.hint = "Request a part of it, or have the server write it to a file and read that"
    else:
        error = ConflictError(f"{request} failed: {reply.get('message')}", code="no_response")
        error.hint = "Wait with session.wait_for_http(), and check the logs() of the server's process"
    error.maybe_executed = reply["failed"] != "refused"
    return error


def _path(path: str) -> str:
    if not _validate.text("path", path).startswith("/"):
        raise ValueError(f"path must begin with '/', not {short_repr(path)}")
    return path


def _status(status: int) -> int:
    if _validate.count("status", status, minimum=100) > 599:
        raise ValueError(f"status must be at most 599, not {status}")
    return status


def _headers(headers: Optional[Mapping[str, str]]) -> dict[str, str]:
    if headers is None:
        return {}
    if not isinstance(headers, Mapping):
        raise TypeError(f"headers must be a mapping, not {type(headers).__name__}")
    for name, value in headers.items():
        for item, allowed in ((name, _TOKEN), (value, _VALUE)):
            if not isinstance(item, str):
                raise TypeError(f"headers must have str names and values, not {type(item).__name__}")
            if not allowed.fullmatch(item):
                raise ValueError(f"headers: {short_repr(name)} has a name or a value that HTTP cannot send")
    return dict(headers)


export("buntime", FetchResponse)
