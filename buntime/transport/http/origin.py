"""Where an HTTP transport sends to: its base URL, and the proxy and certificates for it.

Everything is looked up once, in the arguments, the session, and the environment.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional, Union
from urllib.parse import urlsplit

import requests

from buntime._http import Secret
from buntime.errors import ConfigurationError

_PORTS = {"http": 80, "https": 443}
Proxies = Optional[Mapping[str, Optional[str]]]


def normalized(base_url: str) -> str:
    """Return a base URL without a trailing slash; :class:`ConfigurationError` if it is not one."""
    if not isinstance(base_url, str):
        raise TypeError(f"base_url must be a str, not {type(base_url).__name__}")
    try:
        parts = urlsplit(base_url)
        problems = {
            "holds white space or a character that a URL does not": not base_url.isprintable()
            or not {" ", "\\"}.isdisjoint(base_url),
            "does not start with http:// or https://": parts.scheme not in _PORTS,
            "names no host": not parts.hostname,
            "holds a user name or password; the API takes a key only, as api_key=": "@" in parts.netloc,
            "holds a query or a fragment": "?" in base_url or "#" in base_url,
        }
        problem = next((text for text, applies in problems.items() if applies), None)
        if problem is None:
            return str(requests.Request("GET", base_url).prepare().url).rstrip("/")
    except ValueError:
        problem = "is not a URL"
    # Without user name and password.
    text = base_url if "@" not in base_url else f"[hidden]@{base_url.rpartition('@')[2]}"
    raise ConfigurationError(f"base_url is {text!r}, which {problem}")


def peer_name(base: str, proxy: Optional[str]) -> str:
    """Return the service in a message: its host and port, and those of the proxy."""
    through = f" through the proxy {_host_and_port(proxy)}" if proxy else ""
    return _host_and_port(base) + through


def _host_and_port(url: str) -> str:
    parts = urlsplit(url)
    hostname = parts.hostname or ""
    port = parts.port or _PORTS.get(parts.scheme, 1080)
    return f"[{hostname}]:{port}" if ":" in hostname else f"{hostname}:{port}"


def check_proxies(proxies: Proxies) -> Proxies:
    """Return proxies by scheme as secrets; :class:`ConfigurationError` for a form that requests ignores."""
    if proxies is None:
        return None
    if not isinstance(proxies, Mapping):
        raise ConfigurationError(
            f"proxies is of type {type(proxies).__name__}; "
            "pass a URL for each scheme: proxies={'https': url}"
        )
    for scheme in proxies:
        if not re.match(r"(https?|all)(://|$)|no(_proxy)?$", str(scheme)):
            raise ConfigurationError(
                f"proxies has {scheme!r}; the schemes are http, https and all, alone or with ://HOST"
            )
    return {scheme: proxy and Secret(proxy) for scheme, proxy in proxies.items()}


def find_proxy(base: str, session: requests.Session, proxies: Proxies) -> Optional[Secret]:
    """Return the URL of the proxy for a base URL, if there is one."""
    tools: Any = requests.utils
    if proxies is None:
        proxies = tools.resolve_proxies(requests.Request("GET", base), session.proxies, session.trust_env)
    url = tools.select_proxy(base, proxies)
    if not url:
        return None
    try:
        proxy = Secret(tools.prepend_scheme_if_needed(url, "http"))
        if urlsplit(proxy).hostname and _host_and_port(proxy):
            return proxy
    except ValueError:
        pass  # reported below, without the URL: it may contain a password
    scheme = urlsplit(base).scheme
    raise ConfigurationError(f"the proxy for {scheme} (proxies=, or {scheme.upper()}_PROXY) is not a URL")


def find_bundle(session: requests.Session, verify: Union[bool, str, os.PathLike[str]]) -> Union[bool, str]:
    """Return the file of the authorities' certificates, or whether to check with those of requests."""
    bundle: Any = session.verify if verify is True and session.verify is not None else verify
    if bundle is True and session.trust_env:
        # Some systems set SSL_CERT_FILE to a file that does not exist, which OpenSSL ignores.
        openssl = os.environ.get("SSL_CERT_FILE", "")
        bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
        bundle = bundle or (openssl if Path(openssl).is_file() else True)
    if isinstance(bundle, bool):
        return bundle
    if not isinstance(bundle, (str, os.PathLike)):
        raise TypeError(f"verify must be a bool or the path of a CA bundle, not {type(bundle).__name__}")
    return _existing(bundle, "CA bundle", "verify=, REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE")


def find_certificate(session: requests.Session, cert: Any) -> Union[str, tuple[str, str], None]:
    """Return the files of the client's certificate and key, if it has one."""
    cert = session.cert if cert is None else cert
    if cert is None:
        return None
    paths = cert if isinstance(cert, (tuple, list)) else (cert,)
    file, *keys = (_existing(path, "client certificate or key", "cert=") for path in paths)
    return (file, keys[0]) if keys else file


def _existing(path: Union[str, os.PathLike[str]], kind: str, sources: str) -> str:
    path = os.fspath(path)
    if not Path(path).exists():
        raise ConfigurationError(f"there is no {kind} at {path!r} ({sources})")
    return path
