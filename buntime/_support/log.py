"""Where the library says what is no error."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging


def logger() -> logging.Logger:
    """Return the logger ``buntime``; few programs ever hear of it, so ``logging`` is imported here."""
    import logging

    return logging.getLogger("buntime")
