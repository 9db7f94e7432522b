"""The live service, or ``buntime serve``, over HTTP."""

from __future__ import annotations

import functools
import os
import sys
import threading
from collections.abc import Mapping
from typing import Any, Optional, Union

import attrs
import requests

from buntime import _validate
from buntime._http import MAX_RESPONSE_BYTES, Body, Request, Response, closed_error
from buntime._support.forks import reset_after_fork
from buntime.errors import APIConnectionError, APITimeoutError
from buntime.transport.http import origin
from buntime.transport.http.body import ResponseBody
from buntime.transport.http.connection import Attempt, current
from buntime.transport.http.errors import FAILURES, connection_error, drop_tracebacks
from buntime.transport.http.session import (
    default_headers,
    merge_headers,
    own_session,
    prepare,
    prepare_session,
)

__all__ = ["HTTPTransport"]

_MOST_ORIGINS = 8
"""The origins of presigned URLs to which connections stay open."""


class HTTPTransport:
    """Sends requests to ``base_url`` with the ``requests`` library.

    Arguments:
        base_url: of the service. Its path, if any, goes before the path of each request.
        session: a ``requests.Session`` of your own. Its adapters, proxies, certificates, ``trust_env``, hooks
            and cookies are used, and its headers if a request has none of that name; its ``auth`` and
            ``params`` are not. Its ``HTTPAdapter`` gets the connection pools of this transport. An adapter
            that retries is refused. It is not closed by :meth:`close`, and does not pickle.
        proxies, verify, cert: as in requests; by default those of the session, else of the environment
            (``HTTPS_PROXY``, ``NO_PROXY``, ``REQUESTS_CA_BUNDLE``, ``CURL_CA_BUNDLE``, ``SSL_CERT_FILE``),
            read once, when the transport is made. ``proxies={}`` means none. netrc is never read.
        pool_maxsize: how many idle connections stay open; a request never waits for one.
        max_response_bytes: how many bytes of a decoded body the client reads into memory; ``None`` sets no
            limit. Streams of output have none.

    A request without a ``User-Agent`` gets ``buntime-python/VERSION``. One without an ``Accept-Encoding``
    accepts gzip and deflate, or only ``identity`` for an event stream, as a proxy that compresses one may
    hold its events back. A body of more than 1 MiB is sent in pieces, each with its own timeout.

    A forked child has its own connections. To read a response of its parent there is a ``RuntimeError``.

    Raises :class:`~buntime.ConfigurationError` for a base URL or a proxy that is not a URL and for a missing
    file of certificates.
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
        max_response_bytes: Optional[int] = MAX_RESPONSE_BYTES,
    ) -> None:
        if session is not None and not isinstance(session, requests.Session):
            raise TypeError(f"session must be a requests.Session, not {type(session).__name__}")
        _validate.count("pool_maxsize", pool_maxsize)
        _validate.max_output("max_response_bytes", max_response_bytes)
        proxies = origin.check_proxies(proxies)
        self._arguments: dict[str, Any] = {
            "base_url": base_url,
            "proxies": proxies,
            "verify": verify,
            "cert": cert,
            "pool_maxsize": pool_maxsize,
            "max_response_bytes": max_response_bytes,
        }
        self._is_own = session is None
        self._session = own_session(pool_maxsize) if session is None else session
        self._base = origin.normalized(base_url)
        proxy = origin.find_proxy(self._base, self._session, proxies)
        self._peer = origin.peer_name(self._base, proxy)
        self._proxies: dict[str, str] = {"all": proxy} if proxy else {}
        self._verify = origin.find_bundle(self._session, verify)
        self._cert = origin.find_certificate(self._session, cert)
        prepare_session(self._session, self._base, proxy)
        # A client's calls have few sets of headers. Checking and merging one takes 5 % of a call.
        merge = functools.partial(merge_headers, default_headers(self._session))
        self._headers_for = functools.lru_cache(maxsize=32)(merge)
        self._lock = reset_after_fork(threading.Lock())
        self._others: dict[str, HTTPTransport] = {}
        self._closed = False

    def __repr__(self) -> str:
        # A traceback with local variables shows a transport whose construction failed, too.
        base = getattr(self, "_base", None)
        return f"HTTPTransport({base!r})" if base else "<HTTPTransport, not made>"

    def __getstate__(self) -> dict[str, Any]:
        if not self._is_own:
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
        ``RuntimeError`` if the transport is closed.
        """
        if self._closed:
            raise closed_error(request)
        if request.origin is not None:
            return self._transport_to(request.origin).send(attrs.evolve(request, origin=None))
        limits = (request.connect_timeout, request.read_timeout, request.total_timeout, request.deadline)
        if any(limit is not None and limit <= 0 for limit in limits):
            raise APITimeoutError(f"no time was left to send to {self._peer}", phase="connect")
        attempt = Attempt(request, self._peer)
        response = self._exchange(request, attempt)
        body = ResponseBody(response, attempt)
        if response.status_code < 200:
            body.discard()
            raise APIConnectionError(
                f"{self._peer} answered with the interim status {response.status_code} only", phase="read"
            )
        return Response(
            response.status_code,
            response.headers,
            body.chunks(),
            on_close=body.close,
            on_discard=body.discard,
            max_bytes=self._arguments["max_response_bytes"],
        )

    def _exchange(self, request: Request, attempt: Attempt) -> requests.Response:
        """Have requests send it; raise our errors, in whose tracebacks no frame holds the key."""
        prepared: Any = prepare(request, self._base, self._headers_for, self._session)
        # Our connections find the attempt there: urllib3 has no way to pass it on. It is put back, as a hook
        # or an adapter of the user may send another request within this one.
        outer, current.attempt = current.attempt, attempt
        handled = sys.exc_info()[1]
        try:
            return self._session.send(
                prepared,
                stream=True,
                timeout=(attempt.limit(request.connect_timeout), attempt.limit(request.read_timeout)),
                allow_redirects=False,
                proxies=self._proxies,
                verify=self._verify,
                cert=self._cert,
            )
        except FAILURES as error:
            failure = connection_error(error, attempt)
            drop_tracebacks(error, handled)
            raise failure from error
        except KeyboardInterrupt as interrupt:
            raise interrupt.with_traceback(None)  # noqa: B904 - it is the same one, without frames that hold the key
        finally:
            current.attempt = outer
            if isinstance(request.body, Body):
                prepared.body.close()

    def close(self) -> None:
        """Close the connections that are kept, unless the session is yours. Idempotent."""
        self._closed = True
        for other in self._others.values():
            other.close()
        if self._is_own:
            self._session.close()

    def _transport_to(self, url: str) -> HTTPTransport:
        """Return a transport to the origin of presigned URLs, without headers, cookies or certificate."""
        with self._lock:
            if url not in self._others:
                if len(self._others) == _MOST_ORIGINS:
                    del self._others[next(iter(self._others))]
                arguments = {**self._arguments, "base_url": url, "cert": None}
                if arguments["proxies"] is None and self._session.proxies:
                    arguments["proxies"] = dict(self._session.proxies)
                self._others[url] = HTTPTransport(**arguments)
            return self._others[url]
