"""What does not go to another process."""

from __future__ import annotations

from typing import NoReturn, SupportsIndex


class NotPicklable:
    """A class whose objects refuse to be pickled or copied, and say why."""

    def __reduce_ex__(self, protocol: SupportsIndex, /) -> NoReturn:
        raise TypeError(
            f"a {type(self).__name__} does not pickle, as what it holds lives in this process; "
            "make one in the other process"
        )
