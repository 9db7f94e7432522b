"""The requests sessions of an HTTP transport: its own making, and what becomes of one after a fork."""

from __future__ import annotations

from contextlib import suppress
from queue import Full, LifoQueue
from typing import Any, Optional
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.cookies import RequestsCookieJar
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool

from buntime._http import Headers
from buntime._support.forks import reset_after_fork
from buntime.errors import ConfigurationError


class _Idle(LifoQueue[Any]):
    """The connections that are kept for the next request; urllib3 takes them for a queue.

    One that there is no room for is closed, which urllib3 would log. A forked child lets go of its copies:
    they are the parent's, and open until the last copy is closed.
    """

    def __init__(self, maxsize: int = 0) -> None:
        super().__init__(maxsize)
        reset_after_fork(self)

    def put(self, item: Any, block: bool = True, timeout: Optional[float] = None) -> None:
        """Keep a connection, or close it; never wait."""
        del block, timeout
        try:
            super().put(item, block=False)
        except Full:
            if item is not None:
                item.close()

    def _at_fork_reinit(self) -> None:
        copies = self.queue
        LifoQueue.__init__(self, self.maxsize)
        for copy in copies:
            if copy is not None:
                with suppress(OSError):
                    copy.close()


class _Pool(HTTPConnectionPool):
    QueueCls = _Idle


class _TLSPool(HTTPSConnectionPool):
    QueueCls = _Idle


_POOLS = {"http": _Pool, "https": _TLSPool}


class _NoCookies(RequestsCookieJar):
    def extract_cookies(self, response: Any, request: Any) -> None:
        """Take none."""
        del response, request


_BLANK = vars(requests.Response())
"""What every answer begins as: one cookie jar, slow to make and left empty, serves them all."""


class _Adapter(HTTPAdapter):
    """Serves one origin, reached in one way: how is looked up for the first request, and holds for all."""

    _connections: Any = None
    _is_proxied: Optional[bool] = None

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> Any:
        if self._connections is None:
            self._connections = super().get_connection_with_tls_context(*args, **options)
        return self._connections

    def request_url(self, request: requests.PreparedRequest, proxies: Any) -> str:
        if self._is_proxied is None:
            self._is_proxied = super().request_url(request, proxies) != request.path_url
        return super().request_url(request, proxies) if self._is_proxied else request.path_url

    def close(self) -> None:
        self._connections = self._is_proxied = None
        super().close()

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        """Do without what nobody asks for: cookies, and the encoding of text."""
        response = requests.Response.__new__(requests.Response)
        vars(response).update(
            _BLANK,
            status_code=resp.status,
            headers=Headers(resp.headers.items()),
            raw=resp,
            reason=resp.reason,
            url=str(req.url),
            request=req,
            connection=self,
        )
        return response

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        manager = super().proxy_manager_for(*args, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager


def own_session(pool_maxsize: int) -> requests.Session:
    """Return a session without requests' default headers, that keeps no cookie and never retries."""
    session = requests.Session()
    own: Any = session
    # requests would take the address apart to say where the next one leads.
    own.resolve_redirects = lambda *_, **__: iter(())
    session.headers.clear()
    session.cookies = _NoCookies()
    adapter = _Adapter(pool_connections=1, pool_maxsize=pool_maxsize, max_retries=0, pool_block=False)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def check_retries(session: requests.Session, base_url: str) -> None:
    """Refuse a session that sends a request again by itself, unseen by the retry table."""
    retries: Any = getattr(session.get_adapter(base_url), "max_retries", None)
    total: Optional[int] = getattr(retries, "total", 0)
    if total is None or total > 0:
        host = urlsplit(base_url).netloc
        raise ConfigurationError(
            "session= has an adapter that retries by itself, so that an execution could run twice; "
            f"mount a plain one for the API, session.mount('https://{host}', HTTPAdapter()), "
            "and set max_retries= of the client"
        )


def renew(session: requests.Session) -> list[Any]:
    """Give a session's adapters new, empty connection pools, and it a new cookie jar; return the old pools.

    For a forked child, where the old pools are the parent's: they must not be closed or collected
    here, as both take locks that a thread of the parent may have held during the fork. So does the jar.
    """
    if isinstance(session.cookies, RequestsCookieJar):
        session.cookies = session.cookies.copy()
    old: list[Any] = []
    for adapter in session.adapters.values():
        if isinstance(adapter, HTTPAdapter):
            old += [adapter.poolmanager, adapter.proxy_manager]
            options: Any = adapter
            options.init_poolmanager(
                options._pool_connections, options._pool_maxsize, block=options._pool_block
            )
            adapter.proxy_manager = {}
    return old


class UnfollowedResponse(requests.Response):
    """A redirect that ``Session.send`` leaves alone: to prepare ``.next`` it would read the body."""

    @property
    def is_redirect(self) -> bool:
        """Say no."""
        return False


def leave_redirect(response: requests.Response, **_: Any) -> Optional[requests.Response]:
    """Replace a redirect, as a response hook, by one that is not looked into."""
    if not response.is_redirect:
        return None
    unfollowed = UnfollowedResponse()
    unfollowed.__dict__.update(response.__dict__)
    return unfollowed
