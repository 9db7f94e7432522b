"""A devbox that failed was logged as not shut down, and a timeout named logs that a command lacks."""

from __future__ import annotations

import pytest

from buntime.errors import WaitTimeoutError
from buntime.runloop import ResourceFailedError, RunloopSDK
from buntime.transport import FakeTransport
from tests.runloop.client.stub import Stub, as_json


@pytest.mark.parametrize("status", [400, 404])
def test_devbox_that_failed_to_boot_is_not_logged(status: int, caplog: pytest.LogCaptureFixture) -> None:
    """If the service refuses to shut down a devbox that failed, no warning is logged."""
    ended = {"id": "dbx_1", "status": "failure", "failure_reason": "out_of_memory"}
    stub = Stub(as_json({"id": "dbx_1", "status": "provisioning"}), as_json(ended), as_json({}, status))
    with stub.client() as client, pytest.raises(ResourceFailedError):
        client.devbox.create()
    assert stub.requests[-1].path.endswith("/shutdown")
    assert "" == caplog.text


def test_timeout_of_a_command() -> None:
    """The error of a wait for a command explains that the command runs on."""
    fake = FakeTransport()
    fake.on_execute(command="serve", keeps_running=True)
    with RunloopSDK(transport=fake) as client, client.devbox.create() as devbox:
        with pytest.raises(WaitTimeoutError, match="The command runs on"):
            devbox.cmd.exec("serve", timeout=5)
        with pytest.raises(WaitTimeoutError, match="The command runs on"):
            devbox.cmd.exec_async("serve").result(timeout=5)


def test_timeout_of_a_boot() -> None:
    """The error of a devbox that boots too long does not mention processes or commands."""
    message = r"is running\. Wait longer"
    client = RunloopSDK(transport=FakeTransport(boot_time=700))
    with client, pytest.raises(WaitTimeoutError, match=message) as caught:
        client.devbox.create()
    assert "process" not in str(caught.value)
