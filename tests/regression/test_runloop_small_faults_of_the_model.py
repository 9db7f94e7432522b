"""The model of Runloop failed on a long queue of bad commands, and remembered requests without end."""

from __future__ import annotations

import inspect
import sys
from typing import Any

import pytest

from buntime.runloop import RunloopSDK
from buntime.service import idempotency
from buntime.transport import FakeTransport
from tests.support.clocks import ManualClock


def test_queued_commands_that_cannot_be_started() -> None:
    """Each ends with 126 when its turn comes, however many there are, and the shell goes on."""
    fake = FakeTransport()
    fake.on_execute(command="serve", keeps_running=True)
    fake.on_execute(command="last", stdout="done")
    with RunloopSDK(transport=fake) as client, client.devbox.create() as devbox:
        shell = devbox.shell("main")
        first = shell.exec_async("serve")
        limit = sys.getrecursionlimit()
        queued = [shell.exec_async("unknown") for _ in range(150)]
        last = shell.exec_async("last")
        sys.setrecursionlimit(len(inspect.stack(0)) + 120)
        try:
            first.kill()
        finally:
            sys.setrecursionlimit(limit)
        assert "done" == last.result().stdout()
        assert {126} == {each.get_state().exit_status for each in queued}


def test_requests_are_remembered_for_their_lifetime(monkeypatch: pytest.MonkeyPatch) -> None:
    """A repeated creation within it returns the first id; of more than the most, the oldest is forgotten."""
    monkeypatch.setattr(idempotency, "_MOST", 3)
    clock = ManualClock()
    ids = iter(f"id{number}" for number in range(100))
    requests = idempotency.Idempotency(clock, 3600.0)

    def create(key: str) -> str:
        return requests.once(key, None, lambda: next(ids))[0]

    assert ["id0", "id0", "id1"] == [create("a"), create("a"), create("b")]
    clock.advance(3599)
    assert "id0" == create("a")
    clock.advance(2)
    assert ["id2", "id3"] == [create("a"), create("b")]
    assert ["id4", "id5", "id6"] == [create(key) for key in "cde"]
    assert ["id6", "id7"] == [create("e"), create("b")]


def test_requests_to_the_model_are_remembered_for_an_hour() -> None:
    """Then a repeated creation makes another object."""
    fake = FakeTransport()
    with RunloopSDK(transport=fake) as client:

        def create() -> Any:
            return client.api.secrets.create(name="s", value="v", idempotency_key="k").id

        first = create()
        fake.advance(3599)
        assert first == create()
        client.api.secrets.delete("s")
        fake.advance(2)
        assert first != create()


def test_creation_that_fails_is_not_remembered() -> None:
    """Its repetition creates."""
    requests = idempotency.Idempotency(ManualClock(), 3600.0)
    with pytest.raises(ZeroDivisionError):
        requests.once("a", None, lambda: str(1 // 0))
    assert ("id", False) == requests.once("a", None, lambda: "id")
