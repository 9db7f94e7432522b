"""Presigned URLs: each allows one method on one path until a time, without a key."""

from __future__ import annotations

import hmac
import secrets
from typing import Optional
from urllib.parse import parse_qs

from buntime._http import Request
from buntime.service.requests import header

PREFIX = "/v1/storage/"
"""The start of the paths to which presigned URLs lead."""
IN_PROCESS = "http://storage.invalid"
"""The origin of the URLs of a service in this process, which only its transport reaches."""
LARGEST_OBJECT = 5 * 2**30
"""The most bytes that are sent to a presigned URL."""
_KEY = secrets.token_bytes(32)


def presign(request: Request, method: str, path: str, expires_ms: int) -> str:
    """Return a URL at the host that received ``request``."""
    host = header(request, "Host")
    scheme = header(request, "X-Forwarded-Proto") or "http"
    origin = IN_PROCESS if host is None else f"{scheme}://{host}"
    return f"{origin}{path}?expires={expires_ms}&signature={_signature(method, path, str(expires_ms))}"


def expiry_of(method: str, path: str, query: str) -> Optional[int]:
    """Return when a presigned URL expires, in milliseconds since the epoch; ``None`` for any other."""
    fields = parse_qs(query)
    expires, signature = (fields.get(name, [""])[0] for name in ("expires", "signature"))
    if not path.startswith(PREFIX) or not hmac.compare_digest(
        signature.encode("utf-8", "replace"), _signature(method, path, expires).encode()
    ):
        return None
    return int(expires)


def _signature(*parts: str) -> str:
    return hmac.new(_KEY, "\n".join(parts).encode("utf-8", "replace"), "sha256").hexdigest()
