"""Other packages, which the extra ``bench`` installs; nothing here needs one of them."""

from __future__ import annotations

import importlib
from typing import Any


class NotInstalled(Exception):  # noqa: N818 - it ends no program: a row says it
    """A package is missing."""


def peer(module: str) -> Any:
    """Import a package to compare with. Raises :class:`NotInstalled` where it is missing."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise NotInstalled("not installed: pip install 'buntime[bench]'") from error
