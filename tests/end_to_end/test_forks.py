"""A client that its parent process has used, in child processes: forked, spawned, or started by gunicorn."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.docs.markdown import ROOT
from tests.support import responses
from tests.support.forks import needs_fork
from tests.support.loopback import Exchange, LoopbackServer

_KEY = "btk_of_the_forks"
_FORKS = 12


class _Sessions:
    """Returns any session; ``NAME.together`` waits for a second request, a stream for the first deletion."""

    def __init__(self) -> None:
        self._deleted = threading.Event()
        self._together = threading.Barrier(2)

    def __call__(self, exchange: Exchange) -> None:
        request = exchange.request
        if request.target == "/sessions/create":
            _respond(exchange, responses.CREATED)
        elif request.method == "DELETE":
            self._deleted.set()
            _respond(exchange, responses.DELETED)
        elif request.target == "/execute":
            self._stream(exchange)
        else:
            if request.target.endswith(".together"):
                self._together.wait(60)
            _respond(exchange, {**responses.INFO, "sessionId": request.target.removeprefix("/sessions/")})

    def _stream(self, exchange: Exchange) -> None:
        exchange.head(200, [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")])
        exchange.chunk(responses.event("stdout", {"text": "a"}))
        exchange.wait(self._deleted)
        exchange.chunk(responses.event("result", responses.RESULT))
        exchange.chunk(b"")


def _respond(exchange: Exchange, body: object) -> None:
    exchange.reply(200, json.dumps(body).encode(), [("Content-Type", "application/json")])


def _processes(server: LoopbackServer) -> dict[int, set[str]]:
    """Return the processes that used each connection; sessions are named ``PROCESS.NUMBER``."""
    processes: dict[int, set[str]] = defaultdict(set)
    for request in server.requests:
        if request.method == "GET":
            name = request.target.removeprefix("/sessions/")
            processes[request.connection].add(name.partition(".")[0])
    return processes


def _run(program: str, server: LoopbackServer, *arguments: str, folder: Path) -> str:
    """Run a program in a separate process and return its output."""
    script = folder / "program.py"
    script.write_text(program, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script), *arguments],
        env=_environment(server),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr)
    return done.stdout


def _environment(server: LoopbackServer) -> Mapping[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "ignore::DeprecationWarning",
        "BUNTIME_API_KEY": _KEY,
        "BUNTIME_BASE_URL": server.url,
    }


_UNDER_LOAD = """
import os, signal, sys, threading
from buntime import Buntime

client = Buntime(timeout=30, delete_on_close=True)
session = client.sessions.create()
over = threading.Event()

def check(number):
    name = f"{os.getpid()}.{number}"
    return client.sessions.info(name).id == name

def calls():
    while not over.is_set():
        if not check(0):
            failed.append(0)

def stream():
    with client.stream(session_id="ses_1", code="1") as events:
        for _ in events:
            streaming.set()
    ended.append(events.result.exit_code)

streaming = threading.Event()
failed, ended, codes = [], [], []
threads = [threading.Thread(target=target) for target in (calls, calls, stream)]
for thread in threads:
    thread.start()
streaming.wait(30)
for number in range(int(sys.argv[1])):
    child = os.fork()
    if not child:
        signal.alarm(60)
        right = all(check(number) for number in range(3))
        client.close()
        if number % 2:
            os._exit(not right)
        sys.exit(not right)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
over.set()
session.delete()
for thread in threads:
    thread.join()
client.close()
print(failed, ended, set(codes))
"""


@needs_fork
def test_forks_while_threads_call(tmp_path: Path) -> None:
    """Repeated forks: no child hangs, no connection is shared, and the parent's session is not deleted."""
    with LoopbackServer(_Sessions()) as server:
        assert "[] [0] {0}\n" == _run(_UNDER_LOAD, server, str(_FORKS), folder=tmp_path)
        processes = _processes(server)
        deleted = [request.target for request in server.requests if request.method == "DELETE"]
    assert {1} == {len(names) for names in processes.values()}
    assert _FORKS + 1 == len(set.union(*processes.values()))
    assert [f"/sessions/{responses.CREATED['sessionId']}"] == deleted


_STARTED = """
import multiprocessing, os, sys
from concurrent.futures import ProcessPoolExecutor
from buntime import Buntime

client = None

def check_inherited(number):
    name = f"{os.getpid()}.{number}"
    return client.sessions.info(name).id == name

def check(session, number):
    # The session brings its own client, except to a forked process.
    name = f"{os.getpid()}.{number}"
    with session:
        return session._context.sessions.info(name).id == name and session.info().id == session.id

if __name__ == "__main__":
    method = sys.argv[1]
    context = multiprocessing.get_context(method)
    with Buntime(timeout=30, delete_on_close=True) as client:
        session = client.sessions.create()
        assert check_inherited(0)
        with ProcessPoolExecutor(2, mp_context=context) as pool:
            assert all(pool.map(check, [session] * 4, range(4)))
            if method == "fork":
                assert all(pool.map(check_inherited, range(4)))
        process = context.Process(target=check, args=(session, 9))
        process.start()
        process.join()
        assert process.exitcode == 0
        assert check_inherited(1)
        print("done")
"""


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_processes_of_multiprocessing(method: str, tmp_path: Path) -> None:
    """Each process has its own connections, and the session lives until its creator closes the client."""
    with LoopbackServer(_Sessions()) as server:
        assert "done\n" == _run(_STARTED, server, method, folder=tmp_path)
        processes = _processes(server)
    by_connection = {
        connection: names - {responses.CREATED["sessionId"]} for connection, names in processes.items()
    }
    assert {1} == {len(names) for names in by_connection.values()}
    assert len(set.union(*by_connection.values())) in {3, 4}  # one process of the pool may do all of the work
    methods = [request.method for request in server.requests]
    assert (1, "DELETE") == (methods.count("DELETE"), methods[-1])


_APP = """
import os
from buntime import Buntime

client = Buntime(timeout=30, delete_on_close=True)
session = client.sessions.create()
client.sessions.info(f"{os.getpid()}.0")

def app(environ, start_response):
    name = f"{os.getpid()}.together"
    body = client.sessions.info(name).id == name and session.info().id == session.id
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid() if body else 0).encode()]
"""


@contextmanager
def _gunicorn(server: LoopbackServer, folder: Path) -> Iterator[str]:
    """Run gunicorn with two workers, forked after the application was loaded; yield its URL."""
    (folder / "application.py").write_text(_APP, encoding="utf-8")
    command = [sys.executable, "-m", "gunicorn", "--preload", "--workers", "2", "--bind", "127.0.0.1:0"]
    process = subprocess.Popen(
        [*command, "application:app"],
        cwd=folder,
        env={**_environment(server), "HOME": str(folder)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    with process.stderr as log:
        try:
            lines = iter(log.readline, "")
            match = next(filter(None, (re.search(r"Listening at: (\S+)", line) for line in lines)))
            yield match[1]
        finally:
            process.terminate()
            rest = log.read()
            assert 0 == process.wait(60), rest


@needs_fork
def test_workers_of_gunicorn(tmp_path: Path) -> None:
    """Workers with an inherited client have their own connections and delete nothing."""
    with LoopbackServer(_Sessions()) as server:
        with _gunicorn(server, tmp_path) as url, ThreadPoolExecutor(2) as threads:
            workers = set(threads.map(_get, [url, url]))
        processes = _processes(server)
        deleted = [request.target for request in server.requests if request.method == "DELETE"]
    assert 2 == len(workers - {"0"})
    by_connection = {
        connection: names - {responses.CREATED["sessionId"]} for connection, names in processes.items()
    }
    assert {1} == {len(names) for names in by_connection.values()}
    assert 3 == len(by_connection)
    assert workers < set.union(*by_connection.values())
    assert [] == deleted


def _get(url: str) -> str:
    return requests.get(url, timeout=60).text
