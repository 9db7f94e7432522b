"""An execution with standard input reported no files that it wrote."""

from __future__ import annotations

from buntime import Buntime
from buntime.transport import FakeTransport


def test_files_are_reported() -> None:
    """As without standard input."""
    fake = FakeTransport()
    fake.on_execute(command="cat > a", files={"a": "text"})
    with Buntime(transport=fake) as client, client.sessions.create() as session:
        assert ("a",) == session.execute(command="cat > a", stdin="text").files_written
