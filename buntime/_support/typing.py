"""Types that annotations share, and ``Unpack`` on every Python.

Type checkers read ``Unpack`` from typing_extensions, which they bring along.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from typing_extensions import Unpack
elif sys.version_info >= (3, 11):
    from typing import Unpack
else:

    class Unpack:
        """Stands for ``typing.Unpack`` at run time, so that ``typing.get_type_hints`` works."""

        def __class_getitem__(cls, item: Any) -> Any:
            """Return the TypedDict itself."""
            return item


OnText = Callable[[str], object]
"""Called with a piece of output."""

__all__ = ["OnText", "Unpack"]
