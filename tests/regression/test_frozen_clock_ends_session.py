"""A test that froze or moved the time ended its local sessions."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import pytest

from buntime.transport import LocalTransport, Request

DAY = 24 * 60 * 60


def send(transport: LocalTransport, path: str, **fields: Any) -> dict[str, Any]:
    """Send a request and return the fields of the response."""
    headers = (("Content-Type", "application/json"),)
    response = transport.send(Request("POST", path, headers=headers, body=json.dumps(fields).encode()))
    content: dict[str, Any] = json.loads(response.read())
    return content


@pytest.mark.skipif(sys.platform == "win32", reason="sessions run on Linux and macOS")
@pytest.mark.parametrize("moment", [0.0, 10.0 * DAY + time.time()], ids=["past", "future"])
def test_a_session_survives(monkeypatch: pytest.MonkeyPatch, moment: float) -> None:
    """The lifetime of a session uses a clock that no test replaces."""
    transport = LocalTransport(isolation="none")
    try:
        session = send(transport, "/sessions/create")["sessionId"]
        for name in ("time", "monotonic"):
            monkeypatch.setattr(time, name, lambda: moment)
        for code in ("console.log(1)", "console.log(1)"):
            assert "1\n" == send(transport, "/execute", sessionId=session, code=code)["stdout"]
    finally:
        transport.close()
