"""A request as requests sends it, without the look-ups of ``requests.Request.prepare``."""

from __future__ import annotations

import io
import re
from typing import Any
from urllib.parse import quote, urlencode

import requests
from requests.structures import CaseInsensitiveDict

from buntime._http import Headers, Request, Secret
from buntime._version import __version__
from buntime.errors import ConfigurationError
from buntime.transport.http.session import NoCookies, leave_redirect

_PLAIN_PATH = re.compile(r"/[A-Za-z0-9/_.~-]*")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[^\x00\r\n\u0100-\U0010ffff]*")
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


class _RequestHeaders(CaseInsensitiveDict[str]):
    def __repr__(self) -> str:
        return repr(Headers(self.items()))


def prepare(
    request: Request, base: str, defaults: dict[str, str], session: requests.Session
) -> requests.PreparedRequest:
    """Return ``request`` for ``base``, ready for ``session.send``. Its headers are plain strings."""
    prepared: Any = requests.PreparedRequest()
    prepared.method = request.method
    prepared.url = base + _target(request)
    fields: dict[str, tuple[str, str]] = {}
    for name, value in request.headers:
        before = f"{fields[name.lower()][1]}, " if name.lower() in fields else ""
        fields[name.lower()] = (name, before + _checked(name, value))
    for name, value in defaults.items():
        fields.setdefault(name.lower(), (name, str(value)))
    streams = "text/event-stream" in fields.get("accept", ("", ""))[1]
    fields.setdefault("accept-encoding", ("Accept-Encoding", "identity" if streams else "gzip, deflate"))
    if request.body is not None:
        fields["content-length"] = ("Content-Length", str(len(request.body)))
        # One timeout spans the sending of bytes; of a file, each block has one.
        prepared.body = request.body if len(request.body) <= _LARGEST_PIECE else io.BytesIO(request.body)
    prepared.headers = _RequestHeaders(fields.values())
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
