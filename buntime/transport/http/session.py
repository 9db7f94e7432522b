"""The requests sessions of an HTTP transport: its own or the user's, with our connection pools."""

from __future__ import annotations

from typing import Any, Optional

import requests
from requests.adapters import HTTPAdapter
from requests.cookies import RequestsCookieJar
from urllib3.poolmanager import pool_classes_by_scheme

from buntime._http import Headers
from buntime.errors import ConfigurationError
from buntime.transport.http.connection import POOLS

_BLANK = vars(requests.Response())
"""The attributes of a new response. All of them share the cookie jar, which stays empty."""


class _Adapter(HTTPAdapter):
    """Serves one origin, reached in one way.

    So it looks up the pool once and parses no URL, which are 12 and 5 % of a call of requests. 7 % are the
    cookies and the encoding of each response, which are not used here.
    """

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Begin without connections."""
        super().init_poolmanager(*args, **options)
        self._pool: Any = None

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> Any:
        """Return the pool for every request."""
        if self._pool is None:
            self._pool = super().get_connection_with_tls_context(*args, **options)
        return self._pool

    def close(self) -> None:
        """Close the idle connections. urllib3 alone waits until nothing refers to the pool, and errors do."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()
        super().close()

    def request_url(self, request: requests.PreparedRequest, proxies: Any) -> str:
        """Return the path, or for a proxy the whole URL."""
        return super().request_url(request, proxies) if proxies else request.path_url

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        """Return the response with those attributes only that the status line and the headers give."""
        response = requests.Response.__new__(requests.Response)
        headers = Headers(resp.headers.items())
        vars(response).update(_BLANK, status_code=resp.status, headers=headers, raw=resp, reason=resp.reason)
        vars(response).update(url=req.url, request=req, connection=self)
        return response


class NoCookies(RequestsCookieJar):
    """A jar that stays empty."""

    def extract_cookies(self, response: Any, request: Any) -> None:
        """Take none."""


def own_session(pool_maxsize: int) -> requests.Session:
    """Return a session without requests' default headers, that keeps no cookie and never retries."""
    session = requests.Session()
    session.headers.clear()
    session.cookies = NoCookies()
    vars(session)["resolve_redirects"] = lambda *_, **__: iter(())  # parses the URL of each response
    adapter = _Adapter(pool_connections=1, pool_maxsize=pool_maxsize)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def prepare_adapter(session: requests.Session, base_url: str, proxy: Optional[str]) -> None:
    """Have the session's adapter use our connection pools, unless it has a class of its own for them.

    Refuses one that sends a request again by itself, unseen by the retry table.
    """
    adapter: Any = session.get_adapter(base_url)
    total = getattr(getattr(adapter, "max_retries", None), "total", 0)
    if total is None or total > 0:
        raise ConfigurationError(
            "session= has an adapter that retries by itself, so that an execution could run twice; mount a "
            f"plain one for the API, session.mount({base_url!r}, HTTPAdapter()), and set max_retries= of the "
            "client"
        )
    if isinstance(adapter, HTTPAdapter):
        managers = [adapter.poolmanager]
        if proxy is not None and proxy.startswith("http"):
            managers.append(adapter.proxy_manager_for(proxy))
        for manager in managers:
            if manager.pool_classes_by_scheme == pool_classes_by_scheme:
                manager.clear()
                manager.pool_classes_by_scheme = POOLS


def renew(session: requests.Session) -> list[Any]:
    """Give a session's adapters new connection pools, and it a new cookie jar; return the old ones.

    For a forked child: the old pools are the parent's and must not be closed or collected here, as both
    take locks that a thread of the parent may have held during the fork. So does the jar.
    """
    old: list[Any] = [session.cookies]
    if not isinstance(session.cookies, NoCookies):
        session.cookies = session.cookies.copy()
    adapters: Any = [each for each in session.adapters.values() if isinstance(each, HTTPAdapter)]
    for adapter in adapters:
        old += [adapter.poolmanager, adapter.proxy_manager]
        adapter.__setstate__(adapter.__getstate__())  # as unpickling does, which leaves connections behind
    return old


class _UnfollowedResponse(requests.Response):
    @property
    def is_redirect(self) -> bool:
        """Return ``False``."""
        return False


def leave_redirect(response: requests.Response, **_: Any) -> Optional[requests.Response]:
    """Hide a redirect, as a response hook, from ``Session.send``, which would read its body and Location."""
    if not response.is_redirect:
        return None
    unfollowed = _UnfollowedResponse()
    vars(unfollowed).update(vars(response))
    return unfollowed
