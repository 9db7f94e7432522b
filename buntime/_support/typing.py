"""Types that annotations share; ``Unpack`` and ``dataclass_transform`` on every Python.

Type checkers read these two from typing_extensions, which they bring along.
"""

from __future__ import annotations

import os
import sys
from typing import IO, TYPE_CHECKING, Any, Callable, Union

if TYPE_CHECKING:
    from typing_extensions import Unpack, dataclass_transform
elif sys.version_info >= (3, 11):
    from typing import Unpack, dataclass_transform
else:

    class Unpack:
        """Stands for ``typing.Unpack`` at run time, so that ``typing.get_type_hints`` works."""

        def __class_getitem__(cls, item: Any) -> Any:
            """Return the TypedDict itself."""
            return item

    def dataclass_transform(**_: Any) -> Callable[[type], type]:
        """Do nothing: it is for type checkers."""
        return lambda cls: cls


OnText = Callable[[str], object]
"""Called with a piece of output."""

Archive = Union[str, os.PathLike[str], IO[bytes]]
"""The path of a local archive, or an open binary file."""

__all__ = ["Archive", "OnText", "Unpack", "dataclass_transform"]
