"""What the service answers when something fails that is no refusal."""

from __future__ import annotations

import logging

from buntime.service.errors import ServiceError
from buntime.service.executors import ExecutionLost, ResourceExceeded

logger = logging.getLogger("buntime.service")


def refusal_for(error: Exception) -> ServiceError:
    """Return the refusal that an exception is, or stands for.

    One that nobody foresaw is a mistake in the service or its executor: it is logged with its
    traceback and becomes 500 ``internal_error``, which names its type.
    """
    if isinstance(error, ServiceError):
        return error
    if isinstance(error, ResourceExceeded):
        return ServiceError(507, error.code, error.message, error.details)
    if isinstance(error, ExecutionLost):
        return ServiceError(500, "execution_lost", f"The execution was lost: {error}")
    logger.error("The service failed", exc_info=error)
    kind = type(error).__name__
    return ServiceError(500, "internal_error", f"The service failed: {kind}: {error}", {"type": kind})
