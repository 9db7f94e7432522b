"""An execution on the fake failed with a bare TimeoutError if the fake's clock advanced while it ran."""

from __future__ import annotations

from buntime import Buntime
from buntime.transport import FakeTransport, ScriptedExecution


def test_advancing_the_clock_in_a_handler_causes_no_timeout() -> None:
    """Time on the fake never causes a timeout, even if the clock advances during a handler."""
    fake = FakeTransport()

    def handler(_execution: ScriptedExecution) -> str:
        fake.advance(1000)
        return "done"

    fake.on_execute("1", handler=handler)
    with Buntime(transport=fake, timeout=1) as client, client.sessions.create() as session:
        assert "done" == session.execute("1").stdout
        with session.stream("1") as stream:
            assert "done" == "".join(event.text for event in stream)
