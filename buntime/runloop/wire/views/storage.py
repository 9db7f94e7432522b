"""Objects, agents and secrets. Times are milliseconds since the epoch."""

from __future__ import annotations

from typing import Any, Optional

import attrs

from buntime.runloop.wire.views.base import View


@attrs.frozen(kw_only=True, slots=False)
class ObjectView(View):
    """An object of the storage, whose state is ``UPLOADING``, ``READ_ONLY``, ``DELETED`` or ``ERROR``."""

    id: str
    name: Optional[str] = None
    content_type: Optional[str] = None
    state: Optional[str] = None
    create_time_ms: Optional[int] = None
    delete_after_time_ms: Optional[int] = None
    size_bytes: Optional[int] = None
    metadata: dict[str, str] = attrs.field(factory=dict)
    upload_url: Optional[str] = None
    """Where the content is sent, in the response of a creation."""
    upload_headers: Optional[dict[str, str]] = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True, slots=False)
class ObjectDownloadURLView(View):
    """A URL that returns the content of an object, without a key, until it expires."""

    download_url: str


@attrs.frozen(kw_only=True, slots=False)
class AgentView(View):
    """An agent. Its ``source`` has a ``type``, and details in a field of that name."""

    id: str
    name: Optional[str] = None
    version: Optional[str] = None
    source: Optional[dict[str, Any]] = None
    create_time_ms: Optional[int] = None
    is_public: Optional[bool] = None


@attrs.frozen(kw_only=True, slots=False)
class SecretView(View):
    """A secret, without its value."""

    id: str
    name: str
    create_time_ms: Optional[int] = None
    update_time_ms: Optional[int] = None
