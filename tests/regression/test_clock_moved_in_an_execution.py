"""An execution on the fake failed with a bare TimeoutError where the fake's clock moved while it ran."""

from __future__ import annotations

from buntime import Buntime
from buntime.transport import FakeTransport, ScriptedExecution


def test_time_that_passes_in_a_handler_is_no_timeout() -> None:
    """Nothing on the fake is ever slow, whoever moves its clock meanwhile."""
    fake = FakeTransport()

    def handler(_execution: ScriptedExecution) -> str:
        fake.advance(1000)
        return "done"

    fake.on_execute("1", handler=handler)
    with Buntime(transport=fake, timeout=1) as client, client.sessions.create() as session:
        assert "done" == session.execute("1").stdout
        with session.stream("1") as stream:
            assert "done" == "".join(event.text for event in stream)
