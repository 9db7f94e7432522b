"""Requests as the library requests sends them, over a session of its own or the user's."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping
from typing import Any, Callable, Optional
from urllib.parse import quote, urlencode

import requests
from requests.adapters import HTTPAdapter
from requests.cookies import RequestsCookieJar
from requests.structures import CaseInsensitiveDict
from urllib3.poolmanager import pool_classes_by_scheme

from buntime._http import Body, Headers, Pairs, Request, Secret
from buntime._support.forks import reset_after_fork
from buntime._version import __version__
from buntime.errors import ConfigurationError
from buntime.transport.http.connection import POOLS

_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\n[\x01-\t\v\f\x0e-\xff]*")
"""A name and a value that HTTP can carry, with a line's end between them, which neither may have."""
_LARGEST_PIECE = 1 << 20


class _Adapter(HTTPAdapter):
    """Serves one origin, reached in one way.

    So it looks up the pool once, which takes 16 % of a call; 6 % are the cookies and the encoding of each
    response, which are not used here; 5 % are URLs that are parsed again and a cookie jar that stays empty.
    """

    _pool: Any = None

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> Any:
        """Return the pool for every request."""
        if self._pool is None:
            self._pool = super().get_connection_with_tls_context(*args, **options)
        return self._pool

    def request_url(self, request: requests.PreparedRequest, proxies: Any) -> str:
        """Return the path, or for a proxy the whole URL."""
        return super().request_url(request, proxies) if proxies else request.path_url

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        """Return the response without cookies."""
        response: Any = requests.Response()
        response.status_code, response.reason, response.raw = resp.status, resp.reason, resp
        response.headers = Headers(resp.headers.items())
        response.url, response.request, response.connection = req.url, req, self
        return response  # type: ignore[no-any-return]  # its stubs want other headers

    def close(self) -> None:
        """Close the idle connections. urllib3 alone waits until nothing refers to a pool, and errors do."""
        for manager in (self.poolmanager, *self.proxy_manager.values()):
            for key in manager.pools.keys():  # noqa: SIM118 - it cannot be iterated
                manager.pools[key].close()
        super().close()


class _NoCookies(RequestsCookieJar):
    """A jar that stays empty."""

    def extract_cookies(self, response: Any, request: Any) -> None:
        """Take none."""

    def add_cookie_header(self, request: Any) -> None:
        """Add none."""


def own_session(pool_maxsize: int) -> requests.Session:
    """Return a session without requests' default headers, that keeps no cookie and never retries."""
    session = requests.Session()
    session.headers.clear()
    session.cookies = _NoCookies()
    adapter = _Adapter(pool_connections=1, pool_maxsize=pool_maxsize)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def prepare_session(session: requests.Session, base_url: str, proxy: Optional[str]) -> None:
    """Have the session use our connection pools, unless its adapter has a class of its own for them.

    Its locks are reset in a forked child. An adapter that sends a request again by itself is refused.
    """
    adapter: Any = session.get_adapter(base_url)
    total = getattr(getattr(adapter, "max_retries", None), "total", 0)
    if total is None or total > 0:
        raise ConfigurationError(
            "session= has an adapter that retries by itself, so that an execution could run twice; mount a "
            f"plain one for the API, session.mount({base_url!r}, HTTPAdapter()), and set max_retries= of the "
            "client"
        )
    reset_after_fork(vars(session.cookies)["_cookies_lock"])  # a private name of http.cookiejar
    if isinstance(adapter, HTTPAdapter):
        managers = [adapter.poolmanager]
        if proxy is not None and proxy.startswith("http"):
            managers.append(adapter.proxy_manager_for(proxy))
        for manager in managers:
            reset_after_fork(manager.pools.lock)
            if manager.pool_classes_by_scheme == pool_classes_by_scheme:
                manager.clear()
                manager.pool_classes_by_scheme = POOLS


class RequestHeaders(CaseInsensitiveDict[str]):
    """Headers of a request, with a ``repr`` that hides credentials."""

    def __repr__(self) -> str:
        return repr(Headers(self.items()))


def default_headers(session: requests.Session) -> dict[str, str]:
    """Return the headers for requests that do not name them: ours, and those set on the session."""
    defaults = {"User-Agent": f"buntime-python/{__version__}"}
    of_requests = requests.utils.default_headers()
    values: Iterable[tuple[str, Any]] = session.headers.items()
    for name, value in values:
        if value is not None and value != of_requests.get(name):
            text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
            defaults[name.title()] = Secret(_checked(name, text))
    return defaults


def merge_headers(defaults: Mapping[str, str], headers: Pairs) -> Pairs:
    """Return the headers of a request, and of the others those that it does not name, as plain strings."""
    merged = RequestHeaders(Headers([(name, _checked(name, value)) for name, value in headers]))
    for name, value in defaults.items():
        merged.setdefault(name, str(value))
    streams = "text/event-stream" in merged.get("Accept", "")
    merged.setdefault("Accept-Encoding", "identity" if streams else "gzip, deflate")
    return tuple(merged.items())


def prepare(
    request: Request, base: str, headers_for: Callable[[Pairs], Pairs], session: requests.Session
) -> requests.PreparedRequest:
    """Return ``request`` for ``base``, ready for ``session.send``, whose look-ups it does not need."""
    prepared: Any = requests.PreparedRequest()
    prepared.method = request.method
    prepared.url = base + _target(request)
    prepared.headers = RequestHeaders(headers_for(tuple(request.headers)))
    if isinstance(request.body, Body):
        prepared.headers["Content-Length"] = str(request.body.size)
        prepared.body = request.body.open()
    elif request.body is not None:
        prepared.headers["Content-Length"] = str(len(request.body))
        # One timeout spans the sending of bytes; of a file, each block has one.
        prepared.body = request.body if len(request.body) <= _LARGEST_PIECE else io.BytesIO(request.body)
    prepared.prepare_cookies(session.cookies)
    hooks: Any = session.hooks.get("response") or ()
    prepared.hooks = {"response": [*((hooks,) if callable(hooks) else hooks), _leave_redirect]}
    return prepared  # type: ignore[no-any-return]  # its stubs do not allow a file as the body


def _leave_redirect(response: Any, **_: Any) -> None:
    """Hide a redirect, as a response hook, from ``Session.send``, which would read its body and Location."""
    if response.is_redirect:
        response.__class__ = type("Response", (type(response),), {"is_redirect": False})


def _target(request: Request) -> str:
    path = request.path
    if not path.startswith("/"):
        raise ValueError(f"a request's path starts with /, and {path!r} does not")
    path = quote(path, safe="/%:@!$&'()*+,;=~")
    return f"{path}?{urlencode(request.query, quote_via=quote)}" if request.query else path


def _checked(name: str, value: str) -> str:
    if not _HEADER.fullmatch(f"{name}\n{value}"):
        raise ConfigurationError(f"the header {name!r} has a name or a value that HTTP cannot carry")
    return str(value)
