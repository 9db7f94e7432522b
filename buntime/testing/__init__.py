"""Record and replay in tests and scripts; the pytest plugin gives the same as fixtures.

Imports the client, the transports and the cassette, each on first use: pytest loads the choice of modes in
every project that has buntime installed.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from buntime.testing.context import cassette as cassette

__all__ = ["cassette"]


def __getattr__(name: str) -> Any:
    if name != "cassette":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from buntime._support.export import export
    from buntime.testing.context import cassette

    export(__name__, cassette)
    return globals().setdefault("cassette", cassette)
