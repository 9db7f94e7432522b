"""A file that grew during an upload was sent in one request of any size, and counted with its old size."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import pytest

from buntime import Buntime
from buntime.helpers.content import PIECE
from buntime.transport import FakeTransport, MiddlewareTransport, Request, Response

_CONTENTS = {"a little": b"ab" * 60, "a lot": b"ab" * (2 * PIECE), "less": b"a"}


@pytest.mark.parametrize("change", _CONTENTS)
@pytest.mark.parametrize("is_folder", [True, False])
def test_a_file_that_changes_after_the_scan(change: str, is_folder: bool, tmp_path: Path) -> None:
    """All of it is sent, in pieces if it is large, and the result and the progress have its new size."""
    source = tmp_path / "source"
    source.mkdir()
    log, other = source / "log.txt", source / "other.txt"
    log.write_bytes(b"a" * 100)
    other.write_bytes(b"b" * 10)
    new, sizes = _CONTENTS[change], []

    def grow(request: Request, send: Callable[[Request], Response]) -> Response:
        sizes.append(len(request.content))
        if b"file_walk" in request.content:
            log.write_bytes(new)
        return send(request)

    session = Buntime(transport=MiddlewareTransport(FakeTransport(), grow)).sessions.create()
    steps: list[tuple[int, int]] = []
    result = session.files.upload(
        source if is_folder else log,
        "x" if is_folder else "x/log.txt",
        progress=lambda done, total, _name: steps.append((done, total)),
    )
    assert new == session.files.read_bytes("x/log.txt")
    assert len(new) + 10 * is_folder == result.size == steps[-1][0]
    assert all(done <= total for done, total in steps)
    assert max(sizes) < 2 * PIECE
