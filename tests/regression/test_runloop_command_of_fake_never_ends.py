"""A command of the fake that keeps running held its call without end if it had a callback and a timeout."""

from __future__ import annotations

from typing import Any

import pytest

from buntime import WaitTimeoutError
from buntime.runloop import RunloopSDK
from buntime.transport import FakeTransport


@pytest.mark.parametrize("options", [{}, {"stdout": print}, {"stdout": print, "stderr": print}])
def test_the_call_ends_in_time(options: dict[str, Any]) -> None:
    """The time of the call passes on the clock of the fake."""
    fake = FakeTransport()
    fake.on_execute(command="serve", keeps_running=True)
    with RunloopSDK(transport=fake) as runloop, runloop.devbox.create() as devbox:
        started = fake.monotonic()
        with pytest.raises(WaitTimeoutError):
            devbox.cmd.exec("serve", timeout=0.5, **options)
        assert 0.5 <= fake.monotonic() - started < 60
