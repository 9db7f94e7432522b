"""After a Ctrl-C, clean-up calls to a service that did not respond were retried for minutes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import attrs
import pytest

from tests.support.loopback import Exchange, LoopbackServer
from tests.support.responses import CREATED, as_json

_TIMEOUT = 60

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the state of a thread is read from /proc")

_PROGRAMS = f"""
import json, os, signal, sys
from buntime import Buntime, SessionPool
from buntime._support import closing
from buntime.pool import registry

# A process for each program: they share what a client and a pool import.
SessionPool(Buntime("key", base_url="http://localhost"), size=1).close()
pids = []
for block, url, seconds, path, errors in json.load(sys.stdin):
    pid = os.fork()
    if not pid:
        break
    pids.append(pid)
else:
    print(json.dumps(pids), flush=True)
    signal.alarm({_TIMEOUT})
    print(json.dumps([os.waitpid(pid, 0)[1] for pid in pids]))
    sys.exit()

os.dup2(os.open(errors, os.O_CREAT | os.O_WRONLY), 2)
closing.CLEANUP_SECONDS = registry.CLEANUP_SECONDS = seconds
client = Buntime("key", base_url=url, timeout=300)
exec(block)
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
open(path, "wb").write(bytes([255]) * 4_000_000)
session.files.upload(path, "a.bin")
""",
    "download": """
client.sessions.create().files.download("a", path)
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
with client.with_options() as other, Buntime("key", base_url=url, delete_on_close=True) as owner:
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


@attrs.frozen
class _Program:
    """A program whose calls hang, and its service."""

    block: str
    service: _HangingService
    server: LoopbackServer
    errors: Path

    @classmethod
    def create(cls, block: str, stack: ExitStack, folder: Path) -> _Program:
        """Create the service of a program."""
        service = _HangingService()
        server = stack.enter_context(LoopbackServer(service.respond))
        return cls(block, service, server, folder / f"{block}.txt")

    def interrupt(self, pid: int, executions: int = 1) -> int:
        """Interrupt the program when so many calls hang, and return the number of calls before."""
        for _ in range(executions):
            assert self.service.hanging.acquire(timeout=_TIMEOUT), self.errors.read_text()
        before = len(self.server.requests)
        _wait_until_asleep(pid)
        os.kill(pid, signal.SIGINT)
        return before

    def calls(self, before: int) -> list[str]:
        """Return the calls after the interrupt."""
        return sorted(f"{request.method} {request.target}" for request in self.server.requests[before:])


def _interrupt(
    blocks: Mapping[str, int], folder: Path, *, seconds: float, twice: bool = False, at_exit: bool = False
) -> dict[str, list[str]]:
    """Interrupt programs when so many of their calls hang, and return the calls that follow, by program."""
    with ExitStack() as stack:
        programs = [_Program.create(block, stack, folder) for block in blocks]
        arguments = [
            (
                _BLOCKS[program.block],
                program.server.url,
                seconds,
                f"{program.errors}.data",
                f"{program.errors}",
            )
            for program in programs
        ]
        process = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-c", _PROGRAMS],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        )
        stack.callback(os.killpg, process.pid, signal.SIGKILL)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(arguments))
        process.stdin.close()
        pids = json.loads(process.stdout.readline())
        before = [program.interrupt(pid, blocks[program.block]) for program, pid in zip(programs, pids)]
        if twice:
            for program, pid in zip(programs, pids):
                program.interrupt(pid)
        statuses = json.loads(process.stdout.readline())
        calls = {program.block: program.calls(count) for program, count in zip(programs, before)}
    for program, status in zip(programs, statuses):
        errors = program.errors.read_text()
        assert "Exception ignored" not in errors, program.block
        if at_exit:
            assert 0 == status
        else:
            assert -signal.SIGINT == os.waitstatus_to_exitcode(status), program.block
            assert "\nKeyboardInterrupt\n" in errors, program.block
    return calls


_DELETE = "DELETE /sessions/ses_1"
_CALLS = {
    "session": [_DELETE],
    "write": [],
    "upload": [],
    "download": [],
    "wait_for_port": [_DELETE],
    "stream": [_DELETE],
    "call": [_DELETE],
    "process": ["POST /execute"],
    "stay_awake": [_DELETE],
    "client": [_DELETE],
    "map": [_DELETE, "DELETE /sessions/ses_2"],
    "executor": [_DELETE, "DELETE /sessions/ses_2"],
    "executor_shutdown": [_DELETE, "DELETE /sessions/ses_2"],
    "pool_session": [_DELETE],
}


def test_clean_up_is_short(tmp_path: Path) -> None:
    """Each clean-up call is made once, and all of them end when the time for cleaning up is over."""
    executions = {"stay_awake": 2, "map": 2, "executor": 2, "executor_shutdown": 2}
    blocks = {block: executions.get(block, 1) for block in _CALLS}
    assert _CALLS == _interrupt(blocks, tmp_path, seconds=1)


def test_a_second_interrupt_ends_the_clean_up(tmp_path: Path) -> None:
    """The program ends without waiting for the rest of the time, and makes no other call."""
    blocks = {
        "session": 1,
        "map": 2,
        "executor": 2,
        "idle_pool": 1,
        "pool_without_block": 1,
        "wait_for_port": 1,
    }
    for block, calls in _interrupt(blocks, tmp_path, seconds=1000, twice=True).items():
        assert 1 <= len(calls) <= blocks[block], block
        assert {"DELETE"} == {call.partition(" ")[0] for call in calls}, block


def test_an_interrupt_at_the_exit_ends_calls_of_an_executor(tmp_path: Path) -> None:
    """The program waits for the calls as it ends; a Ctrl-C then deletes the session, without a message."""
    calls = _interrupt({"executor_at_exit": 1}, tmp_path, seconds=1, at_exit=True)
    assert {"executor_at_exit": [_DELETE]} == calls
