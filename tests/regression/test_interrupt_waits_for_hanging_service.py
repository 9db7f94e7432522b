"""After a Ctrl-C, clean-up calls to a service that did not respond were retried for minutes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.support.loopback import Exchange, LoopbackServer
from tests.support.responses import CREATED, as_json

_TIMEOUT = 60

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the state of a thread is read from /proc")

_PROGRAM = """
import sys
from buntime import Buntime, SessionPool
from buntime._support import closing

closing.CLEANUP_SECONDS = float(sys.argv[2])
client = Buntime("key", base_url=sys.argv[1], timeout=300)
"""

_BLOCKS = {
    "session": """
with client.sessions.create() as session:
    session.execute("hang")
""",
    "write": """
session = client.sessions.create()
session.files.write("a.bin", bytes([255]) * 4_000_000)
""",
    "upload": """
session = client.sessions.create()
open(sys.argv[3], "wb").write(bytes([255]) * 4_000_000)
session.files.upload(sys.argv[3], "a.bin")
""",
    "download": """
client.sessions.create().files.download("a", sys.argv[3])
""",
    "wait_for_port": """
with client.sessions.create() as session:
    session.wait_for_port(80, timeout=None)
""",
    "stream": """
with client.sessions.create() as session, session.stream("hang", idempotent=True) as stream:
    list(stream)
""",
    "call": """
with client.sessions.create() as session:
    session.call("() => 1")
""",
    "process": """
from buntime.client.processes import Process
with Process(client._context, "ses_1", 1, 2):
    client.execute(session_id="ses_1", code="hang")
""",
    "stay_awake": """
with client.sessions.create() as session, session.stay_awake():
    session.execute("hang")
""",
    "client": """
with client.with_options() as other, Buntime("key", base_url=sys.argv[1], delete_on_close=True) as owner:
    owner.sessions.create().execute("hang")
""",
    "map": """
with SessionPool(client, size=2) as pool:
    list(pool.map(lambda session, item: session.execute(item), ["hang", "hang", "hang"]))
""",
    "executor": """
with SessionPool(client, size=2) as pool, pool.executor() as executor:
    for _ in executor.map(lambda session, item: session.execute(item), ["hang", "hang", "hang"]):
        pass
""",
    "executor_shutdown": """
with SessionPool(client, size=2) as pool, pool.executor() as executor:
    futures = [executor.submit(lambda session: session.execute("hang")) for _ in range(3)]
""",
    "idle_pool": """
with SessionPool(client, size=1) as pool:
    pool.warm()
    client.execute(session_id="ses_1", code="hang")
""",
    "pool_without_block": """
pool = SessionPool(client, size=1)
pool.warm()
client.execute(session_id="ses_1", code="hang")
""",
    "executor_at_exit": """
pool = SessionPool(client, size=1)
pool.executor().submit(lambda session: session.execute("hang"))
""",
    "pool_session": """
with SessionPool(client, size=1) as pool, pool.session() as session:
    session.execute("hang")
""",
}


class _HangingService:
    """Creates sessions, and responds to nothing else."""

    def __init__(self) -> None:
        self._created = 0
        self.hanging = threading.Semaphore(0)

    def respond(self, exchange: Exchange) -> None:
        if exchange.request.target == "/sessions/create":
            self._created += 1
            body = as_json({**CREATED, "sessionId": f"ses_{self._created}"}).read()
            exchange.reply(200, body, [("Content-Type", "application/json")])
            return
        self.hanging.release()
        exchange.hold()


def _wait_until_asleep(pid: int) -> None:
    """Wait until the main thread is in a system call: Python notices a signal just before one after it."""
    samples: list[str] = []
    while samples[-5:] != samples[-1:] * 5 or not samples or " S " not in samples[-1]:
        # The state, and the processor time that it has used.
        fields = Path(f"/proc/{pid}/task/{pid}/stat").read_text().rpartition(")")[2].split()
        samples.append(f" {fields[0]} {fields[11:13]}")
        time.sleep(0.01)


def _interrupt(
    block: str,
    *,
    seconds: float,
    executions: int = 1,
    twice: bool = False,
    at_exit: bool = False,
    path: Path = Path(os.devnull),
) -> list[str]:
    """Interrupt a program when its calls hang, and return the calls that follow."""
    service = _HangingService()
    with LoopbackServer(service.respond) as server:
        program = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM + _BLOCKS[block], server.url, str(seconds), path],
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            for _ in range(executions):
                assert service.hanging.acquire(timeout=_TIMEOUT)
            before = len(server.requests)
            _wait_until_asleep(program.pid)
            program.send_signal(signal.SIGINT)
            if twice:
                assert service.hanging.acquire(timeout=_TIMEOUT)
                _wait_until_asleep(program.pid)
                program.send_signal(signal.SIGINT)
            _, stderr = program.communicate(timeout=_TIMEOUT)
        finally:
            program.kill()
            program.communicate()
        calls = [f"{request.method} {request.target}" for request in server.requests[before:]]
    assert "Exception ignored" not in stderr
    if at_exit:
        assert 0 == program.returncode
    else:
        assert -signal.SIGINT == program.returncode
        assert "\nKeyboardInterrupt\n" in stderr
    return calls


@pytest.mark.parametrize(
    ("block", "executions", "calls"),
    [
        ("session", 1, ["DELETE /sessions/ses_1"]),
        ("write", 1, []),
        ("upload", 1, []),
        ("download", 1, []),
        ("wait_for_port", 1, ["DELETE /sessions/ses_1"]),
        ("stream", 1, ["DELETE /sessions/ses_1"]),
        ("call", 1, ["DELETE /sessions/ses_1"]),
        ("process", 1, ["POST /execute"]),
        ("stay_awake", 2, ["DELETE /sessions/ses_1"]),
        ("client", 1, ["DELETE /sessions/ses_1"]),
        ("map", 2, ["DELETE /sessions/ses_1", "DELETE /sessions/ses_2"]),
        ("executor", 2, ["DELETE /sessions/ses_1", "DELETE /sessions/ses_2"]),
        ("executor_shutdown", 2, ["DELETE /sessions/ses_1", "DELETE /sessions/ses_2"]),
        ("pool_session", 1, ["DELETE /sessions/ses_1"]),
    ],
)
def test_clean_up_is_short(block: str, executions: int, calls: list[str], tmp_path: Path) -> None:
    """Each clean-up call is made once, and all of them end when the time for cleaning up is over."""
    assert calls == sorted(_interrupt(block, seconds=1, executions=executions, path=tmp_path / "a"))


@pytest.mark.parametrize(
    "block", ["session", "map", "executor", "idle_pool", "pool_without_block", "wait_for_port"]
)
def test_a_second_interrupt_ends_the_clean_up(block: str) -> None:
    """The program ends without waiting for the rest of the time, and makes no other call."""
    executions = 2 if block in {"map", "executor"} else 1
    calls = _interrupt(block, seconds=1000, executions=executions, twice=True)
    assert 1 <= len(calls) <= executions
    assert {"DELETE"} == {call.partition(" ")[0] for call in calls}


def test_an_interrupt_at_the_exit_ends_calls_of_an_executor() -> None:
    """The program waits for the calls as it ends; a Ctrl-C then deletes the session, without a message."""
    assert ["DELETE /sessions/ses_1"] == _interrupt("executor_at_exit", seconds=1, at_exit=True)
