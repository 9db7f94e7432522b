"""A program that ends with sessions, streams, pools and processes open."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.support.loopback import Exchange, LoopbackServer
from tests.support.responses import CREATED, RESULT, as_json, event

_PROGRAM = """
import sys
from buntime import Buntime, SessionPool

client = Buntime("key", base_url=sys.argv[1])
session = client.sessions.create()
awake = session.stay_awake()
awake.__enter__()
process = session.start("serve()")
process.__enter__()
stream = session.stream("forever()")
next(stream)
pool = SessionPool(client, size=2)
outcomes = pool.map(lambda session, item: session.execute(item).exit_code, ["1", "2", "3"])
next(outcomes)
borrowed = pool.session()
borrowed.__enter__()
print("ready", flush=True)
"""


def _respond(exchange: Exchange) -> None:
    request = exchange.request
    if request.headers.get("Accept") == "text/event-stream":
        exchange.head(200, [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")])
        exchange.chunk(event("stdout", {"text": "a"}))
        exchange.hold()
        return
    body: object = {**RESULT, "stdout": '{"number": 1, "pid": 7}'}
    if request.target == "/sessions/create":
        body = {**CREATED, "sessionId": f"ses_{request.headers['Idempotency-Key'][:8]}"}
    elif request.method == "DELETE":
        body = {"deleted": True, "sessionId": request.target.rpartition("/")[2]}
    exchange.reply(200, as_json(body).read(), [("Content-Type", "application/json")])


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("", 0),
        ("sys.exit(3)", 3),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
    ],
)
def test_a_program_ends_with_everything_open(end: str, status: int) -> None:
    """It ends without a message; the sessions of the pool are deleted unless a signal kills it."""
    with LoopbackServer(_respond) as server:
        done = subprocess.run(
            [sys.executable, "-c", f"{_PROGRAM}\n{end}", server.url],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        deleted = sum(request.method == "DELETE" for request in server.requests)
        created = sum(request.target == "/sessions/create" for request in server.requests)
    assert (status, "ready\n", "") == (done.returncode, done.stdout, done.stderr)
    assert (created - 1 if status >= 0 else 0) == deleted
