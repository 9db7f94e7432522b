"""Recording and replaying in a few words."""

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
    """Return a fake that answers every execution; ``scripts`` are the result's fields."""
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
    """Record a program over ``inner``, a fake where left out."""
    return run(RecordingTransport(path, inner or fake(), allow=allow), program, key=key, **options)


def replay(path: Path, program: Callable[[Buntime], T], *, key: str | None = KEY, **options: Any) -> T:
    """Replay a program; all of the cassette must be played."""
    with closing(ReplayTransport(path)) as transport:
        result = run(transport, program, key=key, **options)
        assert [] == transport.unplayed
    return result


def aged(path: Path) -> bytes:
    """Make a cassette one that was changed long ago; return its bytes."""
    found = json.loads(path.read_bytes())
    text = path.read_text(encoding="utf-8").replace(found["changed"], OLD, 1)
    path.write_text(text, encoding="utf-8")
    return path.read_bytes()
