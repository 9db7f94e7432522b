"""The result of a call as a value."""

from __future__ import annotations

from typing import Callable

from buntime import BuntimeError


def result_or_error(call: Callable[[], object]) -> object:
    """Return the result of a call, or the message of its BuntimeError; any other error propagates."""
    try:
        return call()
    except BuntimeError as error:
        return f"BuntimeError: {error}"
