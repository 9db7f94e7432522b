"""The service in memory, for tests: scripted executions, planned failures, its own clock.

Imports `_http`, errors and `service/`. Public names are those of `buntime.transport`.
"""

from buntime.transport.fake.inspection import FakeCall, FakeDevbox, FakeSession
from buntime.transport.fake.transport import FakeTransport

__all__ = ["FakeCall", "FakeDevbox", "FakeSession", "FakeTransport"]
