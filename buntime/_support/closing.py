"""The end of a ``with`` block."""

from __future__ import annotations

from typing import Callable, Optional

from buntime._support.log import logger


def close_after(error: Optional[BaseException], close: Callable[[], object], failed: str) -> None:
    """Call ``close`` at the end of a block without masking ``error``, the exception that left the block.

    If both fail, the failure of ``close`` is logged after the words ``failed``.
    """
    try:
        close()
    except Exception as failure:
        if error is None:
            raise
        logger().warning("%s: %s", failed, failure)
