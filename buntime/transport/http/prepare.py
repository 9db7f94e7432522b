"""A request as requests sends it, without the look-ups of ``requests.Request.prepare``."""

from __future__ import annotations

import io
import re
from typing import Any, Callable
from urllib.parse import quote, urlencode

import requests
from requests.structures import CaseInsensitiveDict

from buntime._http import Body, Headers, Pairs, Request, Secret
from buntime._version import __version__
from buntime.errors import ConfigurationError
from buntime.transport.http.session import NoCookies, leave_redirect

_PLAIN_PATH = re.compile(r"/[A-Za-z0-9/_.~-]*")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\x01-\x09\x0b\x0c\x0e-\xff]*")
_LARGEST_PIECE = 1 << 20


def default_headers(session: requests.Session) -> dict[str, str]:
    """Return the headers for requests that do not name them: ours, and those set on the session."""
    of_requests = requests.utils.default_headers()
    merged: CaseInsensitiveDict[str] = CaseInsensitiveDict()
    merged["User-Agent"] = f"buntime-python/{__version__}"
    for name, value in session.headers.items():
        if value is not None and value != of_requests.get(name):
            text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
            merged[name] = Secret(_checked(name, text))
    return dict(merged)


class RequestHeaders(CaseInsensitiveDict[str]):
    """Headers of a request, which are copied twice per call and read once.

    ``_store`` is a private name: with the methods of the base class that takes ten times as long.
    """

    _store: dict[str, tuple[str, str]]

    def __repr__(self) -> str:
        return repr(Headers(self.items()))

    def items(self) -> Any:
        """Return a view of the names and values."""
        return self._store.values()

    def copy(self) -> RequestHeaders:
        """Return a copy."""
        copy = RequestHeaders.__new__(RequestHeaders)
        copy._store = self._store.copy()
        return copy


def merge_headers(defaults: dict[str, str], headers: Pairs) -> RequestHeaders:
    """Return the headers of a request, and of the others those that it does not name, as plain strings."""
    merged = RequestHeaders()
    for name, value in headers:
        text = _checked(name, value)
        merged[name] = f"{merged[name]}, {text}" if name in merged else text
    for name, value in defaults.items():
        merged.setdefault(name, str(value))
    streams = "text/event-stream" in merged.get("Accept", "")
    merged.setdefault("Accept-Encoding", "identity" if streams else "gzip, deflate")
    return merged


def prepare(
    request: Request, base: str, headers_for: Callable[[Pairs], RequestHeaders], session: requests.Session
) -> requests.PreparedRequest:
    """Return ``request`` for ``base``, ready for ``session.send``."""
    prepared: Any = requests.PreparedRequest()
    prepared.method = request.method
    prepared.url = base + _target(request)
    prepared.headers = headers_for(tuple(request.headers)).copy()
    if isinstance(request.body, Body):
        prepared.headers["Content-Length"] = str(request.body.size)
        prepared.body = request.body.open()
    elif request.body is not None:
        prepared.headers["Content-Length"] = str(len(request.body))
        # One timeout spans the sending of bytes; of a file, each block has one.
        prepared.body = request.body if len(request.body) <= _LARGEST_PIECE else io.BytesIO(request.body)
    jar: Any = session.cookies
    prepared._cookies = jar  # a private name: prepare_cookies() sets it, and parses the URL for an empty jar
    if not isinstance(jar, NoCookies):
        prepared.prepare_cookies(jar)
    hooks: Any = session.hooks.get("response") or ()
    prepared.hooks = {"response": [*((hooks,) if callable(hooks) else hooks), leave_redirect]}
    return prepared  # type: ignore[no-any-return]  # its stubs have neither files nor _cookies


def _target(request: Request) -> str:
    path = request.path
    if not path.startswith("/"):
        raise ValueError(f"a request's path starts with /, and {path!r} does not")
    if _PLAIN_PATH.fullmatch(path) is None:
        path = quote(path, safe="/%:@!$&'()*+,;=~")
    return f"{path}?{urlencode(request.query, quote_via=quote)}" if request.query else path


def _checked(name: str, value: str) -> str:
    if _NAME.fullmatch(name) is None or _VALUE.fullmatch(value) is None:
        raise ConfigurationError(f"the header {name!r} has a name or a value that HTTP cannot carry")
    return str(value)
