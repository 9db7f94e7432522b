"""The functions around a mismatch: those that expect it, and those that pytest leaves out."""

from __future__ import annotations

import sys
from types import CodeType, FrameType
from typing import Any, Optional

from buntime.errors import CassetteError


def names_mismatch(code: CodeType) -> bool:
    """Whether a function names the error of a mismatch, as one does that catches it on purpose."""
    return not {"CassetteError", "CassetteMismatchError"}.isdisjoint(code.co_names)


def is_expected() -> bool:
    """Whether a function that waits for this request names the error; the request may have a thread."""
    for frame in sys._current_frames().values():  # public, though its name is not
        caller: Optional[FrameType] = frame
        while caller is not None:
            is_ours = str(caller.f_globals.get("__name__")).startswith("buntime.")
            if not is_ours and names_mismatch(caller.f_code):
                return True
            caller = caller.f_back
    return False


def hide_frames() -> None:
    """Let pytest leave the frames of this package out of the traceback of a mismatch."""
    for name, module in [*sys.modules.items()]:
        if name.startswith("buntime."):
            vars(module).setdefault("__tracebackhide__", _is_of_cassettes)


def _is_of_cassettes(caught: Any) -> bool:
    return issubclass(caught.type, CassetteError)
