"""A recording of threads swapped the ids of devboxes that got secrets, which are numbered by chance, too."""

from __future__ import annotations

from buntime.cassette.file import Interaction
from buntime.cassette.merge import merge_recordings


def _recording(*names: str) -> list[Interaction]:
    """Return the creations of devboxes, each with a secret of its own, and the request that deletes one."""
    items = []
    for number, name in enumerate(names, 1):
        secret = f"«env:TOKEN:{number}»" if number > 1 else "«env:TOKEN»"
        body = {"name": name, "environment_variables": {"TOKEN": secret}}
        shown = {"status": 200, "headers": {}, "json": {"id": f"dbx_{number}", "name": name}}
        items.append(
            Interaction(
                {"request": {"method": "POST", "path": "/v1/devboxes", "json": body}, "response": shown}
            )
        )
    for number, name in sorted(enumerate(names, 1), key=lambda pair: pair[1]):
        request = {"method": "POST", "path": f"/v1/devboxes/dbx_{number}/shutdown"}
        items.append(Interaction({"request": request, "response": {"status": 200, "json": {"name": name}}}))
    return items


def test_ids_of_creations_with_secrets_are_those_of_the_recording_before() -> None:
    """The other order changes nothing in the cassette."""
    old = _recording("a", "b", "c")
    assert tuple(old) == merge_recordings(old, _recording("c", "a", "b"), threaded=True)
