"""Packages that only the benchmarks use."""

from __future__ import annotations

import importlib
from typing import Any


class NotInstalledError(ImportError):
    """A package of the dependency group ``bench`` is missing."""


def import_peer(module: str) -> Any:
    """Import a package, or raise `NotInstalledError`."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        message = f"{module} is not installed: it is in the dependency group 'bench', run nox -s bench"
        raise NotInstalledError(message) from error
