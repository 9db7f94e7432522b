"""A pool over real connections, a real Bun and real signals."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from buntime import Buntime, ExecuteRequest, Session, SessionPool
from buntime.transport import HTTPTransport
from tests.support import responses
from tests.support.loopback import Exchange, LoopbackServer
from tests.support.serving import ServedProcess, buntime_serve

SLEEPS = "console.log('begun'); await Bun.sleep(300_000)"


@pytest.fixture
def server() -> Iterator[ServedProcess]:
    """Run a server that permits ten sessions and a hundred requests a minute."""
    with buntime_serve("--plan", "free", "--isolation", "none") as server:
        yield server


def _client(server: ServedProcess) -> Buntime:
    return Buntime("any", transport=HTTPTransport(server.url, pool_maxsize=20))


def test_twenty_concurrent_requests() -> None:
    """Twenty requests wait for each other at the server, five times, so fewer would deadlock."""
    together = threading.Barrier(20)
    created = iter(range(20))

    def respond(exchange: Exchange) -> None:
        body: object = responses.DELETED
        if exchange.request.target == "/sessions/create":
            body = {**responses.CREATED, "sessionId": f"ses_{next(created)}"}
        elif exchange.request.target == "/execute":
            together.wait(60)
            body = responses.result(stdout=json.loads(exchange.request.body)["code"])
        exchange.reply(200, json.dumps(body).encode(), [("Content-Type", "application/json")])

    with LoopbackServer(respond) as loopback:
        transport = HTTPTransport(loopback.url, pool_maxsize=20)
        with Buntime("any", transport=transport) as client, SessionPool(client, size=20) as pool:
            assert 20 == pool.warm()
            requests = [ExecuteRequest(f"{number}") for number in range(100)]
            outcomes = [outcome.result().stdout for outcome in pool.execute(requests)]
    assert [f"{number}" for number in range(100)] == outcomes
    assert loopback.connections <= 20 + 20


def test_two_pools_share_the_sessions_of_a_plan(server: ServedProcess) -> None:
    """Each pool uses the sessions that the other leaves free, and both finish."""
    outputs: list[list[str]] = []

    def run() -> None:
        requests = [ExecuteRequest(f"console.log({number})") for number in range(16)]
        with _client(server) as client, SessionPool(client, size=8) as pool:
            outputs.append([outcome.result().stdout for outcome in pool.execute(requests)])

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [[f"{number}\n" for number in range(16)]] * 2 == outputs


def test_an_abandoned_execution_ends(server: ServedProcess) -> None:
    """An execution of five minutes does not delay an abandoned loop."""
    with _client(server) as client, SessionPool(client, size=2) as pool:
        for outcome in pool.execute([ExecuteRequest(SLEEPS), ExecuteRequest("1")], ordered=False):
            assert outcome.result().ok
            break
        assert _free_sessions(client) >= 9


def _free_sessions(client: Buntime) -> int:
    """Return how many sessions can be created."""
    with SessionPool(client, size=10) as pool:
        return pool.warm()


_PROGRAM = f"""
import signal
import sys
from buntime import Buntime, ExecuteRequest, SessionPool
from buntime.transport import HTTPTransport

# A test run in the background ignores SIGINT.
signal.signal(signal.SIGINT, signal.default_int_handler)

def work(session, number):
    with session.stream({SLEEPS!r}) as stream:
        print(next(stream).text, end="", flush=True)
        return list(stream)

with Buntime("any", transport=HTTPTransport(sys.argv[1])) as client, SessionPool(client, size=10) as pool:
    for outcome in pool.map(work, range(30)):
        print(outcome, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT is sent to another process")
def test_ctrl_c_leaves_nothing(server: ServedProcess) -> None:
    """The program ends with the interrupt, and all its sessions and executions end."""
    with subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, server.url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdout is not None
        begun = [program.stdout.readline() for _ in range(10)]
        program.send_signal(signal.SIGINT)
        output, errors = program.communicate(timeout=60)
    assert (["begun\n"] * 10, "", -signal.SIGINT) == (begun, output, program.returncode)
    assert errors.rstrip().endswith("KeyboardInterrupt")
    with _client(server) as client:
        assert 10 == _free_sessions(client)


def test_an_execution_is_not_repeated_after_its_session_ends(server: ServedProcess) -> None:
    """A started execution returns its result without a repeat; the next item uses another session."""

    def work(session: Session, code: str) -> tuple[str, object]:
        with session.stream(code) as stream:
            for _ in stream:
                if code == SLEEPS:
                    client.sessions.delete(session.id)
        return stream.stdout, stream.result.exit_code

    with _client(server) as client, SessionPool(client, size=1) as pool:
        one, two = pool.map(work, [SLEEPS, "console.log(2)"])
    assert (("begun\n", 137), ("2\n", 0)) == (one.value, two.value)
