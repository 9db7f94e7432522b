"""The examples of many processes, against a fake behind HTTP."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from buntime.transport import FakeTransport
from tests.docs.markdown import DOCS, ROOT
from tests.support.fakes import over_http
from tests.support.loopback import LoopbackServer

pytestmark = pytest.mark.one_python

EXAMPLES = DOCS / "examples"
RECIPES = EXAMPLES / "recipes"

_KILLED = """
import os, signal
from pathlib import Path
from dask_map import map_in_sessions, square

def once(session, number):
    flag = Path(os.environ["FLAG"])
    if number == 50 and not flag.exists():
        flag.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return square(session, number)

if __name__ == "__main__":
    print(map_in_sessions(once, range(100), workers=1) == [number * number for number in range(100)])
"""


def _fake() -> FakeTransport:
    fake = FakeTransport()
    fake.on_call("(n) => n * n", handler=lambda n: n * n)
    return fake


def _run(fake: FakeTransport, script: Path, **environment: str) -> str:
    """Run a script against the fake, and return its output."""
    with LoopbackServer(over_http(fake)) as server:
        done = subprocess.run(
            [sys.executable, str(script)],
            env={
                **os.environ,
                "BUNTIME_API_KEY": "any",
                "BUNTIME_BASE_URL": server.url,
                # Dask starts its workers by a process that has imported what they need.
                "DASK_DISTRIBUTED__WORKER__MULTIPROCESSING_METHOD": "forkserver",
                "PYTHONPATH": os.pathsep.join([str(ROOT), str(EXAMPLES), str(RECIPES)]),
                **environment,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert 0 == done.returncode, done.stderr
    return done.stdout


def _calls_by_session(fake: FakeTransport) -> Counter[str]:
    return Counter(call.json["sessionId"] for call in fake.calls if call.path == "/execute")


def test_dask_maps_over_many_items(tmp_path: Path) -> None:
    """Each of the two workers uses one session, and all sessions are deleted; 100 items instead of 1,000."""
    fake = _fake()
    script = tmp_path / "shorter.py"
    script.write_text((RECIPES / "dask_map.py").read_text().replace("range(1000)", "range(100)"))
    assert "100 squares, the last is 9801, their sum 328350\n" == _run(fake, script)
    calls = _calls_by_session(fake)
    assert (2, 100) == (len(calls), sum(calls.values()))
    assert 2 + 100 + 2 == len(fake.calls)
    assert {} == fake.sessions


def test_dask_loses_a_worker(tmp_path: Path) -> None:
    """The replacement of a killed worker continues in the same session, and all sessions are deleted."""
    fake = _fake()
    script = tmp_path / "killed.py"
    script.write_text(_KILLED, encoding="utf-8")
    assert "True\n" == _run(fake, script, FLAG=str(tmp_path / "flag"))
    assert (tmp_path / "flag").exists()
    assert 1 == len(_calls_by_session(fake))
    assert {} == fake.sessions


def test_a_process_pool() -> None:
    """Each process uses one of the sessions, and all sessions are deleted."""
    fake = _fake()
    assert "[0, 1, 4, 9, 16, 25, 36, 49, 64, 81]\n" == _run(fake, EXAMPLES / "process_pool.py")
    assert 10 == sum(_calls_by_session(fake).values())
    assert 3 == sum(call.path == "/sessions/create" for call in fake.calls)
    assert {} == fake.sessions
