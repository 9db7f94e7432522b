"""Record and replay in tests and scripts; the pytest plugin gives the same as fixtures.

Imports the client, the transports and the cassette. Public names are listed in `__all__`.
"""

from buntime.testing.cassette import cassette

__all__ = ["cassette"]
