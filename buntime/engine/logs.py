"""The messages about requests and retries in the log. None contains text that the service chose unescaped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, Optional

from buntime._http import Headers, Pairs, Request, Response, secret_values
from buntime._support.log import logger
from buntime._support.terminal import printable
from buntime.engine.redact import redact_text
from buntime.errors import BuntimeError

if TYPE_CHECKING:
    import logging


def send_logged(
    log: logging.Logger,
    send: Callable[[Request], Response],
    now: Callable[[], float],
    request_id: Callable[[Headers], Optional[str]],
    credentials: Pairs,
    request: Request,
) -> Response:
    """Send one request, and log its status, duration and request id at DEBUG."""
    call, started = f"{request.method} {printable(request.path)}", now()
    try:
        response = send(request)
    except BuntimeError as error:
        log.debug("%s: %s after %.0f ms", call, _cause(error), (now() - started) * 1000)
        raise
    identifier = printable(redact_text(request_id(response.headers) or "none", secret_values(credentials)))
    log.debug("%s: %d in %.0f ms, request id %s", call, response.status, (now() - started) * 1000, identifier)
    return response


def log_retry(error: BuntimeError, pause: float, attempt: int, attempts: int) -> None:
    """Log a back-off at INFO: its cause, how long it is, and the number of the next attempt."""
    call = printable(error.call or "")
    message = "%s: %s; waiting %.2f s before attempt %d of %d"
    logger().info(message, call, _cause(error), pause, attempt, attempts)


def _cause(error: BuntimeError) -> str:
    """Return the kind of an error. Its message is not logged: it may quote anything that the service sent."""
    detail = getattr(error, "phase", None) if error.status is None else error.status
    return type(error).__name__ if detail is None else f"{type(error).__name__} ({detail})"
