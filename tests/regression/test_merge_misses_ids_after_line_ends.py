"""A merged recording had two ids of one session: that after a line end in a text was not renamed."""

from __future__ import annotations

from typing import Any

from buntime.cassette.file import Interaction
from buntime.cassette.merge import merge_recordings


def create(session_id: str, name: str) -> Interaction:
    """Return the creation of a session."""
    return interaction("/sessions/create", {"metadata": {"name": name}}, {"sessionId": session_id})


def execute(session_id: str, stdout: str) -> Interaction:
    """Return an execution in a session."""
    return interaction("/execute", {"sessionId": session_id, "code": "1"}, {"stdout": stdout})


def interaction(path: str, sent: dict[str, Any], received: dict[str, Any]) -> Interaction:
    """Return an interaction of two JSON bodies."""
    request = {"method": "POST", "path": path, "json": sent}
    return Interaction({"request": request, "response": {"status": 200, "headers": {}, "json": received}})


def test_ids_anywhere_in_a_text_are_renamed() -> None:
    """An id after a line end, a tab or a character beyond ASCII gets the number of the old recording."""
    old = [create("ses_1", "a"), create("ses_2", "b")]
    text = "{0} and\n{0}\t{0} «{0}» ({0})\n{0}"
    new = [create("ses_1", "b"), create("ses_2", "a"), execute("ses_2", text.format("ses_2"))]

    merged = merge_recordings(old, new, threaded=True)

    assert execute("ses_1", text.format("ses_1")) in merged
