"""A program that printed for ever took the memory of its host, and so did a stream that was not read."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from buntime.service.executors import Execution, Outcome, Output
from buntime.service.machine.executor import BunExecutor
from tests.support.bun import BunSession, the_end

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read in /proc")

MB = 2**20
FOREVER = {
    "letters": {"command": "yes"},
    "NULs": {"command": "cat /dev/zero"},
    "holes": {"command": "truncate -s 1G /proc/self/fd/1; truncate -s 1G /proc/self/fd/2; sleep 10"},
    "no characters": {"command": "tr '\\0' '\\377' </dev/zero"},
    "from JavaScript": {"code": "for (;;) console.log('x'.repeat(8000))"},
}
GROWTH = """
import json, resource, sys
from buntime import Buntime
from buntime.transport import LocalTransport
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
with Buntime(transport=LocalTransport(), max_retries=0) as client, client.sessions.create() as session:
    session.execute("1")
    before = peak()
    result = session.execute(timeout=1, **json.loads(sys.argv[1]))
    assert result.timed_out
    print(peak() - before)
"""


@pytest.fixture(params=["required", "none"])
def session(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BunSession]:
    """Return a session of each kind."""
    executor = BunExecutor(isolation=request.param)
    yield BunSession.open(executor, tmp_path / "w")
    executor.close()


def run(session: BunSession, command: str, *, stream: bool, max_output: int) -> Outcome:
    """Run a command whose output is bounded."""
    execution = Execution(None, command, {}, 20, stream=stream, max_output=max_output)
    return the_end(session.runtime.run(execution))


@pytest.mark.parametrize("kind", FOREVER)
def test_a_program_that_prints_until_its_time_limit(kind: str) -> None:
    """It costs the host some copies of what is kept of it, whatever it prints."""
    command = [sys.executable, "-c", GROWTH, json.dumps(FOREVER[kind])]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert float(done.stdout) < 90


@pytest.mark.parametrize("stream", [False, True])
def test_the_two_halves_are_kept(session: BunSession, stream: bool) -> None:
    """The start and the end, each about half of the bound, with the size of the rest between them."""
    command = "echo first; head -c 3000000 /dev/zero | tr '\\0' x; echo; echo last"

    outcome = run(session, command, stream=stream, max_output=MB)

    assert ("", 0) == (outcome.stderr, outcome.exit_code)
    first, omitted, last = re.split(r"\n\[\.\.\. (\d+) bytes of output left out \.\.\.\]\n", outcome.stdout)
    assert (first[:7], last[-7:]) == ("first\nx", "x\nlast\n")
    assert (int(omitted), 0) == outcome.omitted
    assert len(first) + int(omitted) + len(last) == 3_000_000 + len("first\n\nlast\n")
    assert all(abs(len(half) - MB // 2) <= 70_000 for half in (first, last))


@pytest.mark.parametrize("stream", [False, True])
def test_no_character_is_cut_by_the_bound(session: BunSession, stream: bool) -> None:
    """Neither where the first half ends nor where the second begins."""
    outcome = run(session, "printf .; yes € | head -n 500000", stream=stream, max_output=MB)

    assert "bytes of output left out" in outcome.stdout
    assert "\ufffd" not in outcome.stdout


@pytest.mark.parametrize("size", [MB - 1, MB])
def test_output_up_to_the_bound_is_whole(session: BunSession, size: int) -> None:
    """No byte is lost."""
    outcome = run(session, f"head -c {size} /dev/zero | tr '\\0' x", stream=False, max_output=MB)

    assert "x" * size == outcome.stdout


def test_a_stream_that_nobody_reads_waits(session: BunSession) -> None:
    """Its program waits, also while other calls of the session read their own answers."""
    unread = session.start(command="yes | head -c 50000000; touch done")

    for _ in range(20):
        session.sh("true")
    inbox = unread._inbox  # type: ignore[attr-defined] # what has arrived and was not asked for

    assert sum(len(message.get("out", "")) for message in inbox.messages) < 2 * MB
    assert not (session.workspace / "done").exists()
    assert 50_000_000 == sum(len(item.text) for item in unread if isinstance(item, Output))
    assert (session.workspace / "done").exists()


def test_one_that_is_dropped_goes_on(session: BunSession) -> None:
    """Without any other call of the session."""
    session.start(command="yes | head -c 5000000; touch done; exec sleep 1000")
    ended = threading.Event()
    while not (session.workspace / "done").exists():
        assert not ended.wait(0.01)


@pytest.mark.parametrize("stream", [False, True])
def test_opening_a_standard_stream_again_loses_nothing(session: BunSession, stream: bool) -> None:
    """``> /dev/stderr`` emptied the file that stood for it."""
    command = "echo 1 >&2; echo 2 > /dev/stderr; echo 3 >&2; echo 4; echo 5 > /dev/stdout; echo 6"

    outcome = run(session, command, stream=stream, max_output=MB)

    assert ("4\n5\n6\n", "1\n2\n3\n") == (outcome.stdout, outcome.stderr)


def test_what_is_left_running_may_write_on(session: BunSession) -> None:
    """It is neither ended by a broken pipe nor held up by a full one."""
    session.sh("(yes | head -c 3000000; touch done; exec sleep 1000) &")
    ended = threading.Event()
    while not (session.workspace / "done").exists():
        assert not ended.wait(0.01)

    assert session.runtime.processes()
