"""A request as requests sends it, without the look-ups of ``requests.Request.prepare``."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import requests
import requests.cookies
from requests.structures import CaseInsensitiveDict

from buntime._http import Pairs, Request, Secret
from buntime._version import __version__
from buntime.errors import ConfigurationError
from buntime.transport._http_sessions import leave_redirect

_PLAIN_PATH = re.compile(r"/[A-Za-z0-9/_.~-]*")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[^\x00\r\n\u0100-\U0010ffff]*")
_SENT_AT_ONCE = 1 << 20


def default_headers(session: requests.Session) -> dict[str, str]:
    """Return the headers for requests that do not name them: ours, and those set on the session."""
    of_requests = requests.utils.default_headers()
    merged: CaseInsensitiveDict[str] = CaseInsensitiveDict()
    merged["User-Agent"] = f"buntime-python/{__version__}"
    for name, value in session.headers.items():
        if value is not None and value != of_requests.get(name):
            merged[name] = Secret(_checked(name, _text(value)))
    return dict(merged)


class _Fields(CaseInsensitiveDict[str]):
    """The same dictionary, as fast to copy and to go through as one that does not ignore case."""

    _store: dict[str, tuple[str, str]]

    def copy(self) -> _Fields:
        found = _Fields()
        found._store = self._store.copy()
        return found

    def items(self) -> Any:
        return self._store.values()


class HeaderFields:
    """Makes the headers of requests from their own and ``defaults``, anew only where they are others."""

    def __init__(self, defaults: Mapping[str, str]) -> None:
        self._defaults = defaults
        self._last: tuple[Pairs, Any] = ((), _headers((), defaults))

    def of(self, pairs: Pairs) -> Any:
        """Return the headers of a request with these of its own."""
        made_of, headers = self._last
        if made_of != pairs:
            headers = _headers(pairs, self._defaults)
            self._last = (pairs, headers)
        return headers.copy()


def _response_hooks(session: requests.Session) -> list[Any]:
    """Return the session's own hooks, and the one that keeps a redirect from being followed."""
    theirs: Any = session.hooks.get("response") or ()
    return [*((theirs,) if callable(theirs) else theirs), leave_redirect]


def prepare(
    request: Request, base: str, fields: HeaderFields, session: requests.Session
) -> requests.PreparedRequest:
    """Return ``request`` for ``base``, ready for ``session.send``."""
    prepared = requests.PreparedRequest()
    prepared.method = request.method
    prepared.url = base + _target(request)
    prepared.headers = fields.of(request.headers)
    if len(session.cookies):
        _add_cookies(prepared, session.cookies)
    if request.body is not None:
        prepared.headers["Content-Length"] = str(len(request.body))
        prepared.body = request.body if len(request.body) <= _SENT_AT_ONCE else _in_pieces(request.body)
    prepared.hooks = {"response": _response_hooks(session)}
    return prepared


def _add_cookies(prepared: requests.PreparedRequest, jar: Any) -> None:
    cookies: Any = requests.cookies
    header = cookies.get_cookie_header(jar, prepared)
    if header is not None:
        prepared.headers["Cookie"] = header


def _in_pieces(body: bytes) -> Any:
    """Return a file, which is sent block by block: for bytes one timeout spans the whole upload."""
    return io.BytesIO(body)


def _target(request: Request) -> str:
    path = request.path
    if not path.startswith("/"):
        raise ValueError(f"a request's path starts with /, and {path!r} does not")
    if _PLAIN_PATH.fullmatch(path) is None:
        path = quote(path, safe="/%:@!$&'()*+,;=~")
    return f"{path}?{urlencode(request.query, quote_via=quote)}" if request.query else path


def _headers(pairs: Pairs, defaults: Mapping[str, str]) -> Any:
    headers = _Fields()
    for name, value in pairs:
        _checked(name, value)
        headers[name] = type(value)(f"{headers[name]}, {value}") if name in headers else value
    for name, value in defaults.items():
        headers.setdefault(name, value)
    if "Accept-Encoding" not in headers:
        streams = "text/event-stream" in headers.get("Accept", "")
        headers["Accept-Encoding"] = "identity" if streams else "gzip, deflate"
    return headers


def _checked(name: str, value: str) -> str:
    if _NAME.fullmatch(name) is None or _VALUE.fullmatch(value) is None:
        raise ConfigurationError(f"the header {name!r} has a name or a value that HTTP cannot carry")
    return value


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
