"""Executions in devboxes of several threads swapped their ids each time that they were recorded."""

from __future__ import annotations

from typing import Any

from buntime.cassette.file import Interaction
from buntime.cassette.merge import merge_recordings


def post(path: str, sent: dict[str, Any], received: dict[str, Any]) -> Interaction:
    """Return an interaction of two JSON bodies."""
    request = {"method": "POST", "path": f"/v1/devboxes{path}", "json": sent}
    return Interaction({"request": request, "response": {"status": 200, "headers": {}, "json": received}})


def recording(*names: str) -> tuple[Interaction, ...]:
    """Return the recording of a program whose threads create devboxes in this order, and run a command."""
    devboxes = {name: f"dbx_{number}" for number, name in enumerate(names, 1)}
    return (
        *(post("", {"name": name}, {"id": devbox}) for name, devbox in devboxes.items()),
        *(
            post(f"/{devbox}/execute_async", {"command": "pwd"}, {"execution_id": f"exc_{number}"})
            for number, devbox in enumerate(devboxes.values(), 1)
        ),
    )


def test_recording_again_changes_nothing() -> None:
    """An id keeps its number if the request that creates it has another id, which keeps its number, too."""
    old = recording("a", "b", "c")
    assert old == merge_recordings(old, recording("c", "a", "b"), threaded=True)
    merged = merge_recordings(old, recording("new", "b", "a", "c"), threaded=True)
    assert [*old] == [item for item in merged if item in old]
