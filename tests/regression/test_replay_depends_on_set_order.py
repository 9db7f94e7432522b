"""A set, or files in another order, did not replay because their order was part of the request."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from buntime import Buntime
from buntime.transport import FakeTransport, FunctionTransport, Request
from tests.support.cassettes import record, replay

PROGRAM = """
import sys
from buntime.testing import cassette
from buntime.transport import FakeTransport

fake = FakeTransport()
fake.on_call("s => s.size", handler=lambda s: len(s))
with cassette("x.json", mode=sys.argv[1], source=lambda: fake) as client, client.sessions.create() as session:
    assert 4 == session.call("s => s.size", {"alpha", "beta", "gamma", ("z", 1)})
"""


def test_set_replays_with_other_hashes(tmp_path: Path) -> None:
    """Python iterates over a set of strings in a different order in each process."""
    for seed, mode in enumerate(("record", "replay", "replay", "replay", "verify"), 1):
        subprocess.run(
            [sys.executable, "-c", PROGRAM, mode],
            cwd=tmp_path,
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            check=True,
        )


@pytest.mark.parametrize("values", [{1, 2.5, "1", None, b"x"}, {"b", "a"}, {10, 9, 2**60}])
def test_set_of_any_values_has_one_order(values: set[Any]) -> None:
    """The order is the same for any values, in whichever order they were added."""
    sent: list[Any] = []
    fake = FakeTransport()
    fake.on_call("f", handler=lambda _: None)

    def note(request: Request) -> Any:
        sent.append(request.body)
        return fake.send(request)

    with Buntime(transport=FunctionTransport(note)) as client:
        session = client.sessions.create()
        session.call("f", values)
        backwards = list(values)
        backwards.reverse()
        session.call("f", set(backwards))
    assert sent[1] == sent[2]


def test_files_replay_in_another_order(tmp_path: Path) -> None:
    """Files are written by path; their order is that of a dict, or even of a set."""
    path = tmp_path / "x.json"
    fake = FakeTransport()
    fake.on_execute("1", stdout="done")

    def program(*names: str) -> Any:
        def run(client: Buntime) -> str:
            session = client.sessions.create()
            return session.execute("1", files={name: f"content of {name}" for name in names}).stdout

        return run

    record(path, program("b.txt", "a.txt", "c.txt"), fake)
    assert "done" == replay(path, program("c.txt", "b.txt", "a.txt"))
    files = json.loads(path.read_text(encoding="utf-8"))["interactions"][1]["request"]["json"]["files"]
    assert ["a.txt", "b.txt", "c.txt"] == [file["path"] for file in files]
