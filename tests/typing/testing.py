"""Types of ``buntime.testing``. Checked by mypy and pyright, never run."""

from __future__ import annotations

import re
from pathlib import Path

from typing_extensions import assert_type

from buntime import Buntime
from buntime.runloop import RunloopSDK
from buntime.testing import cassette
from buntime.transport import FakeTransport, HTTPTransport


def blocks() -> None:
    """The client has its type, and a source is a name or a function."""
    with cassette("x.json") as client:
        assert_type(client, Buntime)
    with cassette("x.json", client=RunloopSDK, mode="live") as runloop:
        assert_type(runloop, RunloopSDK)
    cassette(Path("x.json"), mode="record", source="local", allow_unplayed=True, allow=["ghp_"])
    cassette("x.json", mode="once", ignore=["metadata.run", re.compile("x"), lambda request: None])
    cassette("x.json", ignore="metadata.run")
    cassette("x.json", source=FakeTransport)
    cassette("x.json", source=lambda: HTTPTransport("http://127.0.0.1:8000"))
    cassette("x.json", source=FakeTransport())  # type: ignore[call-overload]  # expected: a name or a function
    cassette("x.json", "record")  # type: ignore[call-overload]  # expected: a keyword
