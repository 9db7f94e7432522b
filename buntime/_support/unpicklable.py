"""Objects that cannot be sent to another process."""

from __future__ import annotations

from typing import NoReturn, SupportsIndex


class NotPicklable:
    """A base class whose objects refuse to be pickled or copied, and explain why."""

    def __reduce_ex__(self, protocol: SupportsIndex, /) -> NoReturn:
        raise TypeError(
            f"a {type(self).__name__} does not pickle: it lives in this process; "
            "create one in the other process"
        )
