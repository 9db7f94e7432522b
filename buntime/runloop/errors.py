"""The error of Runloop's resources."""

from __future__ import annotations

from typing import Any, Optional

from buntime._support.export import export
from buntime.errors import BuntimeError
from buntime.runloop.wire.views import View


class ResourceFailedError(BuntimeError):
    """A devbox ended before it ran, a snapshot failed, or a build failed. ``view`` is its last state."""

    hint = "See the reason in view, and the logs() of the devbox or the blueprint"

    def __init__(self, message: str, *, view: Optional[View] = None, **fields: Any) -> None:
        super().__init__(message, **fields)
        self.view = view


export("buntime.runloop", ResourceFailedError)
