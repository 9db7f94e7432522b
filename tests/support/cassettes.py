"""Helpers to record and replay."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, Callable, TypeVar

from buntime import Buntime
from buntime.transport import FakeTransport, RecordingTransport, ReplayTransport, Transport

T = TypeVar("T")
KEY = "btk_the_key_of_these_tests"
OLD = "2020-02-20"


def fake(**scripts: Any) -> FakeTransport:
    """Return a fake that responds to every execution; ``scripts`` are the result's fields."""
    transport = FakeTransport()
    transport.on_execute(lambda _: True, **(scripts or {"stdout": "done\n"}))
    transport.on_execute(command=re.compile(""), **(scripts or {"stdout": "done\n"}))
    return transport


def run(transport: Transport, program: Callable[[Buntime], T], *, key: str | None = KEY, **options: Any) -> T:
    """Run a program with a client over the transport, and close it."""
    with Buntime(key, transport=transport, **options) as client:
        return program(client)


def record(
    path: Path,
    program: Callable[[Buntime], T],
    inner: Transport | None = None,
    *,
    key: str | None = KEY,
    allow: Iterable[str] = (),
    **options: Any,
) -> T:
    """Record a program over ``inner``, by default a fake."""
    return run(RecordingTransport(path, inner or fake(), allow=allow), program, key=key, **options)


def replay(path: Path, program: Callable[[Buntime], T], *, key: str | None = KEY, **options: Any) -> T:
    """Replay a program; the whole cassette must be played."""
    with closing(ReplayTransport(path)) as transport:
        result = run(transport, program, key=key, **options)
        assert [] == transport.unplayed
    return result


def backdate(path: Path) -> bytes:
    """Backdate the last change of a cassette; return its bytes."""
    data = json.loads(path.read_bytes())
    text = path.read_text(encoding="utf-8").replace(data["changed"], OLD, 1)
    path.write_text(text, encoding="utf-8")
    return path.read_bytes()
