"""Which requests a server accepts: by API key, or without a key only from programs on this machine."""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Mapping
from typing import Optional
from urllib.parse import urlsplit

import attrs

from buntime._http import Secret
from buntime.service.errors import ServiceError
from buntime.service.presigned import expiry_of
from buntime.service.requests import check_body_size, is_json

_HOST = re.compile(r"(\[[^\[\]]*\]|[^\[\]:]*)(?::[0-9]*)?")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@attrs.frozen
class AccessControl:
    """Decides by the headers of a request, before its body is read.

    With an ``api_key`` every request must carry it. Without one, ``loopback_only`` keeps web pages out: a
    browser sends the host name that a page uses, and the page's origin. So a page from elsewhere is
    recognized, and so is a host name that resolves to this machine by a trick. A page of a local server may
    call, but only with a request for which a browser asks permission first: this server never grants it.
    Programs that are not browsers can leave out both headers.
    """

    api_key: Optional[Secret] = None
    loopback_only: bool = False

    def check(self, method: str, headers: Mapping[str, str], path: str = "", query: str = "") -> None:
        """Raise a :class:`ServiceError` if the request is not accepted; a presigned URL needs no key.

        The names in ``headers`` are in upper case with underscores, as in a WSGI environment without
        ``HTTP_``.
        """
        is_presigned = expiry_of(method, path, query) is not None
        if self.api_key is not None and not is_presigned:
            scheme, _, key = headers.get("AUTHORIZATION", "").partition(" ")
            sent = key.strip().encode("utf-8", "surrogatepass")
            if scheme.lower() != "bearer" or not hmac.compare_digest(sent, self.api_key.encode()):
                challenge = [("WWW-Authenticate", "Bearer")]
                raise ServiceError("unauthorized", "The API key is missing or wrong", headers=challenge)
        elif self.loopback_only:
            host, origin = headers.get("HOST"), headers.get("ORIGIN")
            if host is not None and not _is_local(host):
                raise _forbidden("Host", host)
            if origin is not None:
                if not _is_local(_authority(origin)):
                    raise _forbidden("Origin", origin)
                # A browser sends a POST of another type, or without a body, to any server without asking.
                if method == "POST" and not is_json(headers.get("CONTENT_TYPE")):
                    raise _forbidden("Content-Type", headers.get("CONTENT_TYPE", ""))
        length = headers.get("CONTENT_LENGTH") or "0"
        if not is_presigned:
            check_body_size(int(length) if length.isdecimal() else 0)


def _is_local(authority: str) -> bool:
    match = _HOST.fullmatch(authority.strip().lower())
    return match is not None and is_loopback(match[1].strip("[]"))


def _authority(origin: str) -> str:
    try:
        return urlsplit(origin.strip()).netloc
    except ValueError:
        return ""


def _forbidden(header: str, value: str) -> ServiceError:
    return ServiceError(
        "forbidden_host",
        "Without an API key, only programs on this machine are served, and web pages only with "
        f"Content-Type application/json. The {header} is {value!r}; start buntime serve with an --api-key",
        {"header": header, "value": value},
    )
