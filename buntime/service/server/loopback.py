"""Who may call a server that asks for no key: programs of this machine, not web pages shown on it."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from buntime.service.errors import ServiceError

_HOST = re.compile(r"(\[[^\[\]]*\]|[^\[\]:]*)(?::[0-9]*)?")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_caller(host: str | None, origin: str | None) -> None:
    """Refuse a request by its ``Host`` and ``Origin`` headers, ``None`` where it has none.

    A browser sends the name that a page believes it talks to, and where a page is from; so neither a page
    from elsewhere nor a name that was pointed at this machine gets through. Others may leave both out.
    """
    if host is not None and not _names_loopback(host):
        raise _forbidden("Host", host)
    if origin is not None and not _names_loopback(_authority(origin)):
        raise _forbidden("Origin", origin)


def _names_loopback(authority: str) -> bool:
    found = _HOST.fullmatch(authority.strip().lower())
    return found is not None and is_loopback(found[1].strip("[]"))


def _authority(origin: str) -> str:
    try:
        return urlsplit(origin.strip()).netloc
    except ValueError:
        return ""


def _forbidden(header: str, value: str) -> ServiceError:
    return ServiceError(
        403,
        "forbidden_host",
        f"Without an API key only this machine's own addresses are served, and the {header} is {value!r}; "
        "start buntime serve with an --api-key",
        {"header": header, "value": value},
    )
