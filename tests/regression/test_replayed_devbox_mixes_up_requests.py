"""Replay gave a call of a session over a devbox the result of another one, if their order had changed."""

from __future__ import annotations

import re
from pathlib import Path

from buntime.runloop import RunloopSDK
from buntime.runloop.session_requests import PREPARE, WORKSPACE
from buntime.transport import FakeTransport, RecordingTransport, ReplayTransport, ScriptedResult, Transport


def _outputs(transport: Transport, codes: list[str], token: str) -> dict[str, str]:
    """Return the output of each of these programs, which run in this order, as threads may run them."""
    with RunloopSDK(bearer_token="rk", transport=transport) as runloop:
        session = runloop.devbox.create().as_session()
        return {code: session.execute(code, env={"TOKEN": token}).stdout for code in codes}


def test_requests_in_another_order_have_their_own_results(tmp_path: Path) -> None:
    """All of them had the same command in the cassette."""
    fake = FakeTransport()
    fake.on_execute(command=PREPARE % WORKSPACE, stdout="/usr/bin/bun\n")
    results = [ScriptedResult(stdout=text) for text in ("one", "two", "three")]
    fake.on_execute(command=re.compile("run-"), results=results)
    path = tmp_path / "x.json"
    recorded = _outputs(RecordingTransport(path, fake), ["1", "2", "3"], "planted-token")
    assert {"1": "one", "2": "two", "3": "three"} == recorded
    assert recorded == _outputs(ReplayTransport(path), ["3", "1", "2"], "token of another run")
