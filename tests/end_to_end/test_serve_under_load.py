"""Many concurrent executions over HTTP leave nothing behind."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import attrs
import pytest

from buntime import Buntime
from buntime.transport import HTTPTransport
from tests.support.serving import ServedProcess, buntime_serve

pytestmark = pytest.mark.one_python

SESSIONS = 20
EXECUTIONS = 200


@attrs.frozen
class _Resources:
    """The resources of a server process: threads, descriptors, child processes and temporary folders."""

    threads: int
    descriptors: int
    children: int
    workspaces: int


def _resources_of(server: ServedProcess, temporary_folder: Path) -> _Resources:
    tasks, children = list(Path(f"/proc/{server.pid}/task").iterdir()), 0
    for task in tasks:
        with suppress(OSError):  # the thread has ended
            children += len((task / "children").read_text().split())
    return _Resources(
        threads=len(tasks),
        descriptors=len(os.listdir(f"/proc/{server.pid}/fd")),
        children=children,
        workspaces=len(list(temporary_folder.glob("buntime-*/*"))),
    )


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="resources are read from /proc")
def test_two_hundred_concurrent_executions(temporary_folder: Path) -> None:
    """Every client receives its own output, and the server frees the resources of the executions."""
    with buntime_serve("--threads", "200") as server:
        with (
            Buntime("any", transport=HTTPTransport(server.url)) as client,
            client.sessions.create() as session,
        ):
            session.execute("1")
        before = _settled(server, temporary_folder)
        with Buntime(
            "any", transport=HTTPTransport(server.url, pool_maxsize=EXECUTIONS), delete_on_close=True
        ) as client:
            sessions = [client.sessions.create(ttl=600) for _ in range(SESSIONS)]
            together = threading.Barrier(EXECUTIONS)

            def run(number: int) -> str:
                together.wait(60)
                session = sessions[number % SESSIONS]
                return session.execute(
                    command='echo "$NUMBER"', env={"NUMBER": str(number)}, timeout=120, check=True
                ).stdout

            with ThreadPoolExecutor(EXECUTIONS) as threads:
                outputs = list(threads.map(run, range(EXECUTIONS)))
        _wait_for_decrease(before, server, temporary_folder)

    assert [f"{number}\n" for number in range(EXECUTIONS)] == outputs


def _settled(server: ServedProcess, temporary_folder: Path) -> _Resources:
    """Return the server's resources once they are stable: it notices closed connections with a delay."""
    last = None
    for _ in range(100):
        now = _resources_of(server, temporary_folder)
        if now == last:
            return now
        last = now
        threading.Event().wait(0.2)
    pytest.fail(f"the server never came to rest: {last}")


def _wait_for_decrease(before: _Resources, server: ServedProcess, temporary_folder: Path) -> None:
    """Wait until the server has at most the resources of before."""
    now = _resources_of(server, temporary_folder)
    for _ in range(300):
        if all(count <= limit for count, limit in zip(attrs.astuple(now), attrs.astuple(before))):
            return
        threading.Event().wait(0.2)
        now = _resources_of(server, temporary_folder)
    pytest.fail(f"the server keeps {now}, before: {before}")
