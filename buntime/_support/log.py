"""The library's logger."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging


def logger() -> logging.Logger:
    """Return the logger ``buntime``. ``logging`` is imported here because most programs log nothing."""
    import logging

    return logging.getLogger("buntime")
