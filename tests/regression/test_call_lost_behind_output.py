"""A function that printed much and called ``process.exit`` could end without a result."""

from __future__ import annotations

import sys

import pytest

from buntime import Buntime, ExecutionFailedError
from buntime.transport import LocalTransport


@pytest.mark.skipif(sys.platform == "win32", reason="sessions run on Linux and macOS")
def test_the_exit_is_reported_behind_any_output() -> None:
    """More than a pipe holds, and not read yet."""
    function = "() => { process.stdout.write('x'.repeat(5e6)); process.exit(3) }"
    transport = LocalTransport(isolation="none")
    with Buntime(transport=transport, max_retries=0) as client, client.sessions.create() as session:
        for _ in range(5):
            with pytest.raises(ExecutionFailedError, match=r"process\.exit\(3\)"):
                session.call(function)
