"""The loop of the agent, with a scripted model and a session in memory."""

from __future__ import annotations

import pytest

from buntime import Buntime
from buntime.transport import FakeTransport, ScriptedResult
from coding_agent import MAX_TURNS, run_agent, scripted_model, use


def test_the_agent_corrects_its_module(capsys: pytest.CaptureFixture[str]) -> None:
    """It reads the failure of its test, writes the module again, and is done."""
    fake = FakeTransport()
    runs = [
        ScriptedResult(stderr="1 fail", exit_code=1),
        ScriptedResult(stderr="1 pass"),
    ]
    fake.on_execute(command="bun test", results=runs)
    with Buntime(transport=fake) as client, client.sessions.create() as session:
        answer = run_agent(scripted_model(), session, "Write slug(title).")
        assert "replaceAll" in session.files.read("slug.ts")
    assert answer == "slug.ts passes its test."
    assert "execute: failed\nwrite: done\nexecute: done" in capsys.readouterr().out


def test_an_agent_without_an_end_is_stopped() -> None:
    """The number of its turns is bounded."""
    with (
        Buntime(transport=FakeTransport()) as client,
        client.sessions.create() as session,
        pytest.raises(RuntimeError, match=f"in {MAX_TURNS} turns"),
    ):
        run_agent(lambda _: [use("list")], session, "Look around.")
