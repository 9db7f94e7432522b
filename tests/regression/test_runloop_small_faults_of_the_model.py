"""The model of Runloop failed on a long queue of bad commands, and remembered requests without end."""

from __future__ import annotations

import inspect
import sys

import pytest

from buntime.runloop import RunloopSDK
from buntime.service.devboxes import model
from buntime.transport import FakeTransport


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


def test_requests_are_remembered_for_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    """A repeated creation within it returns the first id; of more than the most, the oldest is forgotten."""
    monkeypatch.setattr(model, "_MOST", 3)
    now = [0.0]
    ids = iter(f"id{number}" for number in range(100))
    requests = model.Requests(lambda: now[0])

    def create(key: str) -> str:
        return requests.once(key, lambda: next(ids))

    assert ["id0", "id0", "id1"] == [create("a"), create("a"), create("b")]
    now[0] = 3599.0
    assert "id0" == create("a")
    now[0] = 3601.0
    assert ["id2", "id3"] == [create("a"), create("b")]
    assert ["id4", "id5", "id6"] == [create(key) for key in "cde"]
    assert ["id6", "id7"] == [create("e"), create("b")]


def test_creation_that_fails_is_not_remembered() -> None:
    """Its repetition creates."""
    requests = model.Requests(lambda: 0.0)
    with pytest.raises(ZeroDivisionError):
        requests.once("a", lambda: str(1 // 0))
    assert "id" == requests.once("a", lambda: "id")
