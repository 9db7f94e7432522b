"""A watch raised an error, or reported a file without a type, if its path vanished during a look at it."""

from __future__ import annotations

import json
import sys
from typing import Callable

import attrs
import pytest

from buntime import Buntime, FileEvent
from buntime.transport import LocalTransport, MiddlewareTransport, Request, Response

# The path is deleted between two accesses: it was found, and then is listed or described.
DELETES = """{
  const files = require("node:fs");
  const { readdirSync, lstatSync } = files;
  const remove = (path) => path.endsWith("/watched") && files.rmSync(path, { recursive: true, force: true });
  files.readdirSync = (path, options) => (remove(path), readdirSync(path, options));
  files.lstatSync = (path, options) => (options?.bigint && remove(path), lstatSync(path, options));
}"""
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sessions run on Linux and macOS")


def _delete_in_first_turn(request: Request, send: Callable[[Request], Response]) -> Response:
    body = json.loads(request.content or b"{}")
    first, _, rest = body.get("code", "").partition("\n")
    if '"op":"file_watch"' in first.replace(" ", "") and '"turn":1' in first.replace(" ", ""):
        body["code"] = f"{first}\n{DELETES}\n{rest}"
        request = attrs.evolve(request, body=json.dumps(body).encode())
    return send(request)


@pytest.mark.parametrize("path", ["watched", "watched/a.txt"])
def test_it_is_reported_as_deleted(path: str) -> None:
    """Whether it is a folder or a file."""
    transport = MiddlewareTransport(LocalTransport(), _delete_in_first_turn)
    with Buntime(transport=transport, max_retries=0) as client, client.sessions.create() as session:
        session.files.write(path, "1")
        with session.files.watch("watched", timeout=60) as watch:
            assert FileEvent("deleted", path) == next(watch)
            session.files.write(path, "2")
            assert FileEvent("created", path) == next(watch)
