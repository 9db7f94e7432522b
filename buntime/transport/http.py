"""The live service, or ``buntime serve``, over HTTP."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import Any, Optional, Union

import requests

from buntime._http import Request, Response, Secret
from buntime._support.forks import reset_after_fork
from buntime.errors import APITimeoutError
from buntime.transport._http_bodies import Body
from buntime.transport._http_failures import FAILURES, failure
from buntime.transport._http_origins import origin
from buntime.transport._http_preparation import HeaderFields, default_headers, prepare
from buntime.transport._http_sessions import check_retries, own_session, renew

__all__ = ["HTTPTransport"]


class HTTPTransport:
    """Sends requests to ``base_url`` with the ``requests`` library.

    ``base_url`` may have a path, which goes before each request's. ``proxies``, ``verify`` and ``cert``
    are those of requests; where they are left out they are the session's, else the environment's
    (``HTTPS_PROXY``, ``NO_PROXY``, ``REQUESTS_CA_BUNDLE`` and the like), read once, when the transport
    is made. ``proxies={}`` means none. netrc is never read.

    ``pool_maxsize`` is how many idle connections are kept for the next request; a request never waits
    for one.

    ``session`` is a ``requests.Session`` of your own. It gives its adapters, proxies, certificates and
    ``trust_env``, its hooks, its cookies, and the headers you set on it where a request has none of that
    name; its ``auth`` and ``params`` are not used. It is not closed by :meth:`close`, and
    ``pool_maxsize`` is its adapters' own. An adapter of it that retries is refused.

    A request that names no ``User-Agent`` gets ``buntime-python/VERSION``. One that names no
    ``Accept-Encoding`` asks for gzip and deflate, or for ``identity`` where it accepts an event stream:
    a proxy that compresses one may hold its events back.

    A body of more than 1 MiB is sent in pieces, so that a timeout bounds each wait and not the whole
    upload. A forked child gets connections of its own; in a session of yours, those of its
    ``HTTPAdapter`` s. To read an answer there that came in the parent is a ``RuntimeError``. Pickles,
    unless it was made with ``session``.

    Raises :class:`~buntime.ConfigurationError` for a base URL that is none, a missing certificate file
    or a malformed proxy.
    """

    def __init__(
        self,
        base_url: str = "https://api.buntime.sh",
        *,
        session: Optional[requests.Session] = None,
        proxies: Optional[Mapping[str, Optional[str]]] = None,
        verify: Union[bool, str, os.PathLike[str]] = True,
        cert: Union[str, tuple[str, str], None] = None,
        pool_maxsize: int = 10,
    ) -> None:
        if session is not None and not isinstance(session, requests.Session):
            raise TypeError(f"session must be a requests.Session, not {type(session).__name__}")
        if pool_maxsize < 1:
            raise ValueError(f"pool_maxsize must be at least 1, not {pool_maxsize}")
        self._arguments: dict[str, Any] = {
            "base_url": base_url,
            "proxies": _hidden(proxies),
            "verify": verify,
            "cert": cert,
            "pool_maxsize": pool_maxsize,
        }
        first = own_session(pool_maxsize) if session is None else session
        self._origin = origin(base_url, first, proxies=proxies, verify=verify, cert=cert)
        check_retries(first, self._origin.base)
        self._own = session is None
        self._fields = HeaderFields(default_headers(first))
        self._sessions = {os.getpid(): first}
        self._forking = reset_after_fork(threading.Lock())
        self._inherited: list[Any] = []
        self._closed = False

    def __repr__(self) -> str:
        # A traceback with local variables shows a transport whose construction failed, too.
        origin = getattr(self, "_origin", None)
        return f"HTTPTransport({origin.base!r})" if origin else "<HTTPTransport, not made>"

    def __getstate__(self) -> dict[str, Any]:
        if not self._own:
            raise TypeError(
                "an HTTPTransport made with session= does not pickle, as the session's connections and "
                "adapters belong to this process; make one in the other process"
            )
        return self._arguments

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]  # the arguments are the whole state

    def send(self, request: Request, /) -> Response:
        """Send once, and return the response when its headers are in, whatever its status.

        Raises :class:`~buntime.APIConnectionError` and :class:`~buntime.APITimeoutError`, and before
        anything is sent :class:`~buntime.ConfigurationError` for a header that HTTP cannot carry and
        ``RuntimeError`` where the transport is closed.
        """
        if self._closed:
            raise RuntimeError("the transport is closed")
        if _no_time(request.connect_timeout) or _no_time(request.read_timeout):
            raise APITimeoutError(f"no time was left to send to {self._origin.peer}", phase="connect")
        session = self._session()
        prepared = prepare(request, self._origin.base, self._fields, session)
        try:
            response = session.send(
                prepared,
                stream=True,
                timeout=(request.connect_timeout, request.read_timeout),
                allow_redirects=False,
                proxies=self._origin.proxies,
                verify=self._origin.verify,
                cert=self._origin.cert,
            )
        except FAILURES as error:
            raise failure(error, self._origin.peer, request).at_send() from error
        body = Body(response, lambda error: failure(error, self._origin.peer, request).at_read())
        return Response(response.status_code, response.headers, body.chunks(), on_close=body.close)

    def close(self) -> None:
        """Close the connections that are kept, unless the session is yours. Idempotent."""
        self._closed = True
        session = self._sessions.get(os.getpid())
        if self._own and session is not None:
            session.close()

    def _session(self) -> requests.Session:
        pid = os.getpid()
        session = self._sessions.get(pid)
        return self._after_fork(pid) if session is None else session

    def _after_fork(self, pid: int) -> requests.Session:
        """Return this child's session. The parent's is kept as it is, and not even collected."""
        with self._forking:
            if pid not in self._sessions:
                self._sessions[pid] = self._session_for_child()
        return self._sessions[pid]

    def _session_for_child(self) -> requests.Session:
        if self._own:
            return own_session(self._arguments["pool_maxsize"])
        inherited = next(iter(self._sessions.values()))
        self._inherited += renew(inherited)
        return inherited


def _no_time(timeout: Optional[float]) -> bool:
    return timeout is not None and timeout <= 0


def _hidden(proxies: Optional[Mapping[str, Optional[str]]]) -> Optional[dict[str, Optional[str]]]:
    if proxies is None:
        return None
    return {scheme: proxy and Secret(proxy) for scheme, proxy in proxies.items()}
