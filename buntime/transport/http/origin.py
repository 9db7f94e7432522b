"""Where an HTTP transport sends to: its base URL, and the proxy and certificates for it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional, Union
from urllib.parse import urlsplit

import attrs
import requests
import urllib3.exceptions

from buntime._http import Secret
from buntime.errors import ConfigurationError

_PORTS = {"http": 80, "https": 443}


@attrs.frozen
class Origin:
    """A base URL without a trailing slash, and how to reach it."""

    base: str
    peer: str
    """The service in a message: host and port, and the proxy's."""
    proxy: Optional[Secret]
    verify: Union[bool, str]
    cert: Union[str, tuple[str, str], None]


def resolve_origin(
    base_url: str,
    session: requests.Session,
    *,
    proxies: Optional[Mapping[str, Optional[str]]],
    verify: Union[bool, str, os.PathLike[str]],
    cert: Any,
) -> Origin:
    """Look up, once, everything about ``base_url``: the arguments, the session, the environment."""
    base = _normalized(base_url)
    proxy = _proxy(base, session, proxies)
    peer = _host_and_port(base) + (f" through the proxy {_host_and_port(proxy)}" if proxy else "")
    return Origin(base, peer, proxy, _verify(session, verify), _cert(session, cert))


def _normalized(base_url: str) -> str:
    if not isinstance(base_url, str):
        raise TypeError(f"base_url must be a str, not {type(base_url).__name__}")
    prepared = requests.PreparedRequest()
    try:
        parts = urlsplit(base_url)
        if any(c.isspace() or c == "\\" or not c.isprintable() for c in base_url):
            problem = "holds white space or a character that a URL does not"
        elif parts.scheme not in _PORTS:
            problem = "does not start with http:// or https://"
        elif not parts.hostname:
            problem = "names no host"
        elif "@" in parts.netloc:
            problem = "holds a user name or password; the API takes a key only, as api_key="
        elif "?" in base_url or "#" in base_url:
            problem = "holds a query or a fragment"
        else:
            prepared.prepare_url(base_url, None)
            _host_and_port(base_url)
            return str(prepared.url).rstrip("/")
    except (requests.RequestException, ValueError):
        problem = "is not a URL"
    # Without user name and password.
    text = base_url if "@" not in base_url else f"[hidden]@{base_url.rpartition('@')[2]}"
    raise ConfigurationError(f"base_url is {text!r}, which {problem}")


def _host_and_port(url: str) -> str:
    parts = urlsplit(url)
    hostname = parts.hostname or ""
    port = parts.port or _PORTS.get(parts.scheme, 1080)
    return f"[{hostname}]:{port}" if ":" in hostname else f"{hostname}:{port}"


def check_proxies(proxies: Mapping[str, Optional[str]]) -> dict[str, Optional[str]]:
    """Return proxies by scheme as secrets; :class:`ConfigurationError` for a form that requests ignores."""
    if not isinstance(proxies, Mapping):
        raise ConfigurationError(
            f"proxies is a {type(proxies).__name__}; pass a URL for each scheme: proxies={{'https': url}}"
        )
    unknown = [scheme for scheme in proxies if not re.match(r"(https?|all)(://|$)|no(_proxy)?$", str(scheme))]
    if unknown:
        raise ConfigurationError(
            f"proxies has {unknown[0]!r}; the schemes are http, https and all, alone or with ://HOST"
        )
    return {scheme: proxy and Secret(proxy) for scheme, proxy in proxies.items()}


def _proxy(
    base: str, session: requests.Session, proxies: Optional[Mapping[str, Optional[str]]]
) -> Optional[Secret]:
    tools: Any = requests.utils
    if proxies is None:
        prepared = requests.PreparedRequest()
        prepared.url = base
        proxies = tools.resolve_proxies(prepared, session.proxies, session.trust_env)
    url = tools.select_proxy(base, proxies)
    if not url:
        return None
    try:
        proxy = Secret(tools.prepend_scheme_if_needed(url, "http"))
        if urlsplit(proxy).hostname and _host_and_port(proxy):
            return proxy
    except (ValueError, urllib3.exceptions.LocationValueError):
        pass  # reported below, without the URL: it may contain a password
    scheme = urlsplit(base).scheme
    raise ConfigurationError(f"the proxy for {scheme} (proxies=, or {scheme.upper()}_PROXY) is not a URL")


def _verify(session: requests.Session, verify: Union[bool, str, os.PathLike[str]]) -> Union[bool, str]:
    bundle: Any = verify if isinstance(verify, bool) else os.fspath(verify)
    if bundle is True and session.verify is not None:
        bundle = session.verify
    if bundle is True and session.trust_env:
        # Some systems set SSL_CERT_FILE to a file that does not exist, which OpenSSL ignores.
        openssl = os.environ.get("SSL_CERT_FILE", "")
        bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
        bundle = bundle or (openssl if Path(openssl).is_file() else True)
    if isinstance(bundle, bool):
        return bundle
    if not Path(bundle).exists():
        raise ConfigurationError(
            f"there is no CA bundle at {bundle!r} (verify=, REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE)"
        )
    return str(bundle)


def _cert(session: requests.Session, cert: Any) -> Union[str, tuple[str, str], None]:
    cert = session.cert if cert is None else cert
    if cert is None:
        return None
    paths = tuple(map(os.fspath, cert if isinstance(cert, (tuple, list)) else (cert,)))
    for path in paths:
        if not Path(path).exists():
            raise ConfigurationError(f"there is no client certificate or key at {path!r} (cert=)")
    return paths[0] if len(paths) == 1 else (paths[0], paths[1])
