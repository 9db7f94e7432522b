"""The errors of Runloop's resources and of waiting for them."""

from __future__ import annotations

from typing import Any, Optional

from buntime._support.export import export
from buntime.errors import BuntimeError, WaitTimeoutError
from buntime.runloop.wire.views.base import View

SEE_LOGS = "Wait longer with timeout=, and see the logs()"
COMMAND_RUNS_ON = (
    "Wait longer with timeout=. The command runs on; an execution of exec_async has kill() to end it"
)


class ResourceFailedError(BuntimeError):
    """A devbox ended before it ran, a snapshot failed, or a build failed. ``view`` is its last state."""

    hint = "See the reason in view, and the logs() of the devbox or the blueprint"

    def __init__(self, message: str, *, view: Optional[View] = None, **fields: Any) -> None:
        super().__init__(message, **fields)
        self.view = view


def wait_timeout(message: str, hint: str = SEE_LOGS, **fields: Any) -> WaitTimeoutError:
    """Return the error of a wait that took too long."""
    error = WaitTimeoutError(message, **fields)
    error.hint = hint
    return error


export("buntime.runloop", ResourceFailedError)
