"""After a Ctrl-C while a supervisor was started, each execution of its session ended without its output."""

from __future__ import annotations

from typing import Any

import pytest

from buntime import Buntime
from buntime.runloop import RunloopSDK
from buntime.service.machine.channel import Channel
from buntime.transport import LocalTransport


@pytest.fixture
def _interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupt the first message to a supervisor."""
    send = Channel.send

    def interrupted(_channel: Channel, _message: dict[str, Any]) -> None:
        monkeypatch.setattr(Channel, "send", send)
        raise KeyboardInterrupt

    monkeypatch.setattr(Channel, "send", interrupted)


@pytest.mark.usefixtures("_interrupted")
def test_a_supervisor_whose_start_was_interrupted_is_replaced() -> None:
    """It has no configuration without its first message."""
    with Buntime(transport=LocalTransport(isolation="none")) as client:
        session = client.sessions.create()
        with pytest.raises(KeyboardInterrupt):
            session.execute("0")
        assert "1\n" == session.execute("console.log(1)").stdout


@pytest.mark.usefixtures("_interrupted")
def test_the_supervisor_of_a_devbox_is_replaced() -> None:
    """As that of a session is."""
    with RunloopSDK(transport=LocalTransport(isolation="none")) as runloop:
        devbox = runloop.devbox.create()
        with pytest.raises(KeyboardInterrupt):
            devbox.cmd.exec("true")
        assert "1\n" == devbox.cmd.exec("echo 1").stdout()
