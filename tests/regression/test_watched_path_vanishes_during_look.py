"""A watch raised an error, or reported a file without a type, if a path vanished during a look at it."""

from __future__ import annotations

import json
import sys
from functools import partial
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
# A folder is replaced by a file after its children were listed.
REPLACES = """{
  const files = require("node:fs");
  const { lstatSync } = files;
  files.lstatSync = (path, options) => {
    if (options?.bigint && path.endsWith("/watched/a")) {
      files.rmSync(path, { recursive: true });
      files.writeFileSync(path, "");
      files.lstatSync = lstatSync;
    }
    return lstatSync(path, options);
  };
}"""
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sessions run on Linux and macOS")


def _in_first_turn(program: str, request: Request, send: Callable[[Request], Response]) -> Response:
    body = json.loads(request.content or b"{}")
    first, _, rest = body.get("code", "").partition("\n")
    if '"op":"file_watch"' in first.replace(" ", "") and '"turn":1' in first.replace(" ", ""):
        body["code"] = f"{first}\n{program}\n{rest}"
        request = attrs.evolve(request, body=json.dumps(body).encode())
    return send(request)


@pytest.mark.parametrize("path", ["watched", "watched/a.txt"])
def test_it_is_reported_as_deleted(path: str) -> None:
    """Whether it is a folder or a file."""
    transport = MiddlewareTransport(LocalTransport(), partial(_in_first_turn, DELETES))
    with Buntime(transport=transport, max_retries=0) as client, client.sessions.create() as session:
        session.files.write(path, "1")
        with session.files.watch("watched", timeout=60) as watch:
            assert FileEvent("deleted", path) == next(watch)
            session.files.write(path, "2")
            assert FileEvent("created", path) == next(watch)


def test_a_folder_is_replaced_by_a_file() -> None:
    """Its children are reported as deleted."""
    transport = MiddlewareTransport(LocalTransport(), partial(_in_first_turn, REPLACES))
    with Buntime(transport=transport, max_retries=0) as client, client.sessions.create() as session:
        session.files.write("watched/a/b.txt", "1")
        with session.files.watch("watched", timeout=60) as watch:
            events = [next(watch) for _ in range(3)]
    assert [("deleted", "watched/a/b.txt"), ("deleted", "watched/a"), ("created", "watched/a")] == [
        (event.kind, event.path) for event in events
    ]
