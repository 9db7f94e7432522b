"""A model could overwrite what the client keeps in `.buntime`, and a read of the workspace was "empty"."""

from __future__ import annotations

from typing import Any

import pytest

from buntime import Buntime
from buntime.tools import run_tool
from buntime.transport import FakeTransport
from tests.support.cases import in_one_test

_PATHS = [".buntime/processes/1/exit", "./a/../.buntime", "/workspace/.buntime/staged/x"]


@in_one_test("path", _PATHS)
@in_one_test(
    ("name", "argument", "others"),
    [
        ("write", "path", {"content": "0"}),
        ("read", "path", {}),
        ("list", "path", {}),
        ("execute", "working_dir", {"command": "ls"}),
    ],
)
def test_files_of_the_client_are_refused(name: str, argument: str, others: Any, path: str) -> None:
    """By each tool that takes a path."""
    with Buntime(transport=FakeTransport()) as client, client.sessions.create() as session:
        result = run_tool(session, name, {argument: path, **others})
        assert result.is_error
        assert f"{path!r} is in .buntime, which belongs to the client; pass another path" == result
        assert "[the folder is empty]" == run_tool(session, "list", {})


@pytest.mark.parametrize("path", ["", ".", "/workspace", "a/.."])
def test_the_workspace_is_not_a_file(path: str) -> None:
    """The message names what the path is, and what to do."""
    with Buntime(transport=FakeTransport()) as client, client.sessions.create() as session:
        for name, others in (("read", {}), ("write", {"content": "0"})):
            result = run_tool(session, name, {"path": path, **others})
            assert f"{path!r} is the workspace itself; pass the path of a file, or use list" == result
