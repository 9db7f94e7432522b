"""How much the tests try: the profile of hypothesis, which the variable HYPOTHESIS_PROFILE chooses."""

from __future__ import annotations

import os
from typing import TypeVar

from hypothesis import settings

_T = TypeVar("_T")

_EXAMPLES = {"quick": 15, "full": 100, "search": 1000}
"""Examples of a property. Only ``search`` looks for new ones: the others try the same in each run."""


def load_profile() -> None:
    """Load the profile of hypothesis, by default ``quick``."""
    for name, count in _EXAMPLES.items():
        is_fixed = name != "search"
        settings.register_profile(
            name, max_examples=count, derandomize=is_fixed, deadline=None, database=None
        )
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


def examples(full: int) -> int:
    """Return the number of examples for a slow property, of which the profile ``full`` tries this many."""
    return max(1, full * settings().max_examples // _EXAMPLES["full"])


def sample(items: list[_T], number: int, step: int) -> list[_T]:
    """Return one item of each ``step`` with the profile ``quick``, with another number others; else all."""
    if settings().max_examples >= _EXAMPLES["full"]:
        return items
    return items[number % min(step, len(items)) :: step]
