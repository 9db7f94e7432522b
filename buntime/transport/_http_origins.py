"""Where an HTTP transport sends to: its base URL, and the proxy and certificates for it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional, Union
from urllib.parse import SplitResult, urlsplit

import attrs
import requests
import urllib3.exceptions

from buntime._http import Secret
from buntime.errors import ConfigurationError

Verify = Union[bool, str]
Cert = Union[str, tuple[str, str], None]

_PORTS = {"http": 80, "https": 443}


@attrs.frozen
class Origin:
    """A base URL without a trailing slash, and how to reach it."""

    base: str
    peer: str
    """The service in a message: host and port, and the proxy's."""
    proxies: dict[str, str] = attrs.field(repr=False)
    verify: Verify
    cert: Cert


def origin(
    base_url: str,
    session: requests.Session,
    *,
    proxies: Optional[Mapping[str, Optional[str]]],
    verify: Union[bool, str, os.PathLike[str]],
    cert: Any,
) -> Origin:
    """Look up, once, everything about ``base_url``: what was passed, the session's, the environment's."""
    base = _checked(base_url)
    proxy = _proxy(base, session, proxies)
    peer = _host_and_port(urlsplit(base))
    if proxy is not None:
        peer += f" through the proxy {_host_and_port(urlsplit(proxy))}"
    return Origin(
        base=base,
        peer=peer,
        proxies={} if proxy is None else {"all": proxy},
        verify=_verify(session, verify),
        cert=_cert(session, cert),
    )


def _checked(base_url: str) -> str:
    if not isinstance(base_url, str):
        raise TypeError(f"base_url must be a str, not {type(base_url).__name__}")
    shown = base_url if "@" not in base_url else f"[hidden]@{base_url.rpartition('@')[2]}"
    problem = _problem(base_url)
    if problem is not None:
        raise ConfigurationError(f"base_url is {shown!r}, which {problem}")
    prepared = requests.PreparedRequest()
    try:
        prepared.prepare_url(base_url, None)
    except (requests.RequestException, ValueError):
        raise ConfigurationError(f"base_url is {shown!r}, which is not a URL") from None
    return str(prepared.url).rstrip("/")


def _problem(base_url: str) -> Optional[str]:
    if any(c.isspace() or c == "\\" or not c.isprintable() for c in base_url):
        return "holds white space or a character that a URL does not"
    try:
        parts = urlsplit(base_url)
        hostname, _ = parts.hostname, parts.port
    except ValueError:
        return "is not a URL"
    if parts.scheme not in _PORTS:
        return "does not start with http:// or https://"
    if not hostname:
        return "names no host"
    if "@" in parts.netloc:
        return "holds a user name or password; the API takes a key only, as api_key="
    if "?" in base_url or "#" in base_url:
        return "holds a query or a fragment"
    return None


def _host_and_port(parts: SplitResult) -> str:
    hostname = parts.hostname or ""
    port = parts.port or _PORTS.get(parts.scheme, 1080)
    return f"[{hostname}]:{port}" if ":" in hostname else f"{hostname}:{port}"


def _proxy(
    base: str, session: requests.Session, proxies: Optional[Mapping[str, Optional[str]]]
) -> Optional[Secret]:
    tools: Any = requests.utils
    settings: Any = proxies
    if settings is None:
        prepared = requests.PreparedRequest()
        prepared.url = base
        settings = tools.resolve_proxies(prepared, session.proxies, session.trust_env)
    chosen = tools.select_proxy(base, settings)
    if not chosen:
        return None
    try:
        proxy = Secret(tools.prepend_scheme_if_needed(chosen, "http"))
        if urlsplit(proxy).hostname and _host_and_port(urlsplit(proxy)):
            return proxy
    except (ValueError, urllib3.exceptions.LocationValueError):
        pass
    scheme = urlsplit(base).scheme
    raise ConfigurationError(f"the proxy for {scheme} (proxies=, or {scheme.upper()}_PROXY) is not a URL")


def _verify(session: requests.Session, verify: Union[bool, str, os.PathLike[str]]) -> Verify:
    chosen: Any = verify if isinstance(verify, bool) else os.fspath(verify)
    if chosen is True and session.verify is not None:
        chosen = session.verify
    if chosen is True and session.trust_env:
        chosen = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
    if not isinstance(chosen, bool) and not Path(chosen).exists():
        raise ConfigurationError(
            f"there is no CA bundle at {chosen!r} (verify=, REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE)"
        )
    return chosen if isinstance(chosen, bool) else str(chosen)


def _cert(session: requests.Session, cert: Any) -> Cert:
    chosen = session.cert if cert is None else cert
    if chosen is None:
        return None
    paths = [os.fspath(path) for path in (chosen if isinstance(chosen, (tuple, list)) else (chosen,))]
    for path in paths:
        if not Path(path).exists():
            raise ConfigurationError(f"there is no client certificate or key at {path!r} (cert=)")
    return paths[0] if len(paths) == 1 else (paths[0], paths[1])
