"""The public import path of classes and functions."""

from __future__ import annotations

from typing import Any, get_type_hints


def export(module: str, *objects: Any) -> None:
    """Set ``__module__`` to the module that users import from: pickles, tracebacks and ``help`` show it.

    The annotations of a class are resolved here, as they cannot be resolved in the public module later.
    """
    for each in objects:
        if any(isinstance(hint, str) for hint in vars(each).get("__annotations__", {}).values()):
            each.__annotations__ = get_type_hints(each)
        each.__module__ = module
