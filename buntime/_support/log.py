"""The library's logger."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging

_PRINTING = "buntime-stderr"
"""The name of the handler that prints to stderr."""


@functools.cache
def logger() -> logging.Logger:
    """Return the logger ``buntime``. ``logging`` is imported here because most programs log nothing."""
    import logging

    return logging.getLogger("buntime")


def debug_logger() -> logging.Logger | None:
    """Return the logger if its level is DEBUG, else ``None``.

    A program that has not imported ``logging`` has not set a level either, so it need not be imported.
    """
    if "logging" not in sys.modules:
        return None
    log = logger()
    return log if log.isEnabledFor(10) else None


def print_logs(level: str) -> None:
    """Print the messages of the logger at ``level`` and above to stderr. A later call changes the level."""
    import logging

    log = logger()
    log.setLevel(level.upper())
    if not any(handler.name == _PRINTING for handler in log.handlers):
        handler = logging.StreamHandler()
        handler.name = _PRINTING
        handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
        log.addHandler(handler)
