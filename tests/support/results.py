"""What a call comes to."""

from __future__ import annotations

from typing import Callable

from buntime import BuntimeError


def outcome(call: Callable[[], object]) -> object:
    """Return what a call returns, or the message of the BuntimeError it raises; any other error fails."""
    try:
        return call()
    except BuntimeError as error:
        return f"BuntimeError: {error}"
