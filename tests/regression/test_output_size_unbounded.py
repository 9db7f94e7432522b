"""A program that printed endlessly exhausted the memory of its host, and so did an unread stream."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from buntime.service.executors import Execution, ExecutionOutcome, Output
from buntime.service.machine.executor import BunExecutor
from tests.support.bun import BunSession, outcome_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read in /proc")

MB = 2**20
SIZE = 128 * MB
# They print much more than may be stored, and sleep until their time limit.
FLOODS = {
    "letters": {"command": f"yes | head -c {SIZE}; sleep 10"},
    "NULs": {"command": f"head -c {SIZE} /dev/zero; sleep 10"},
    "holes": {"command": "truncate -s 1G /proc/self/fd/1; truncate -s 1G /proc/self/fd/2; sleep 10"},
    "no characters": {"command": f"head -c {SIZE} /dev/zero | tr '\\0' '\\377'; sleep 10"},
    "from JavaScript": {
        "code": f"for (let n = 0; n < {SIZE}; n += 8001) console.log('x'.repeat(8000)); Bun.sleepSync(10000)"
    },
}
GROWTHS = """
import json, os, resource, sys
from buntime import Buntime
from buntime.transport import LocalTransport

# A process for each program, which share the imports: memory that one returned would hide what another needs.
pids = []
for name, arguments in json.load(sys.stdin).items():
    pid = os.fork()
    if not pid:
        break
    pids.append(pid)
else:
    sys.exit(any([os.waitpid(pid, 0)[1] for pid in pids]))

peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
with Buntime(transport=LocalTransport(), max_retries=0) as client, client.sessions.create() as session:
    session.execute("1")
    before = peak()
    result = session.execute(timeout=1, **arguments)
    assert result.timed_out
    sys.stdout.write(json.dumps([name, peak() - before]) + "\\n")  # at once: others write there too
"""


@pytest.fixture(params=["required", "none"])
def session(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BunSession]:
    """Return a session with and without isolation."""
    executor = BunExecutor(isolation=request.param)
    yield BunSession.open(executor, tmp_path / "w")
    executor.close()


def run(session: BunSession, command: str, *, stream: bool, max_output: int) -> ExecutionOutcome:
    """Run a command with an output limit."""
    execution = Execution(None, command, {}, 20, stream=stream, max_output=max_output)
    return outcome_of(session.runtime.run(execution))


def test_a_program_that_prints_more_than_memory_may_hold() -> None:
    """The memory cost is a few times the limit, whatever the program prints."""
    command = [sys.executable, "-c", GROWTHS]
    done = subprocess.run(command, input=json.dumps(FLOODS), stdout=subprocess.PIPE, text=True, check=True)

    growths = dict(map(json.loads, done.stdout.splitlines()))
    assert FLOODS.keys() == growths.keys()
    assert max(growths.values()) < 90, growths


@pytest.mark.parametrize("stream", [False, True])
def test_the_start_and_end_are_stored(session: BunSession, stream: bool) -> None:
    """The start and the end are stored, half of the limit each, with the omitted size between them."""
    command = "echo first; head -c 3000000 /dev/zero | tr '\\0' x; echo; echo last"

    outcome = run(session, command, stream=stream, max_output=MB)

    assert ("", 0) == (outcome.stderr, outcome.exit_code)
    first, omitted, last = re.split(r"\n\[\.\.\. (\d+) bytes of output left out \.\.\.\]\n", outcome.stdout)
    assert (first[:7], last[-7:]) == ("first\nx", "x\nlast\n")
    assert len(first) + int(omitted) + len(last) == 3_000_000 + len("first\n\nlast\n")
    assert all(abs(len(half) - MB // 2) <= 70_000 for half in (first, last))


@pytest.mark.parametrize("stream", [False, True])
def test_the_limit_does_not_split_a_character(session: BunSession, stream: bool) -> None:
    """Neither the end of the first half nor the start of the second splits a character."""
    outcome = run(session, "printf .; yes € | head -n 500000", stream=stream, max_output=MB)

    assert "bytes of output left out" in outcome.stdout
    assert "\ufffd" not in outcome.stdout


@pytest.mark.parametrize("size", [MB - 1, MB])
def test_output_up_to_the_limit_is_complete(session: BunSession, size: int) -> None:
    """No byte is lost."""
    outcome = run(session, f"head -c {size} /dev/zero | tr '\\0' x", stream=False, max_output=MB)

    assert "x" * size == outcome.stdout


def test_an_unread_stream_waits(session: BunSession) -> None:
    """The program of an unread stream waits, even while other calls of the session read their responses."""
    unread = session.start(command="yes | head -c 10000000; touch done")

    for _ in range(20):
        session.sh("true")
    inbox = unread.inbox  # type: ignore[attr-defined]  # messages that arrived before they were requested

    assert sum(len(message.get("out", "")) for message in inbox.messages) < 2 * MB
    assert not (session.workspace / "done").exists()
    assert 10_000_000 == sum(len(item.text) for item in unread if isinstance(item, Output))
    assert (session.workspace / "done").exists()


def test_a_dropped_stream_continues(session: BunSession) -> None:
    """A dropped stream does not stop its program, even without another call."""
    session.start(command="yes | head -c 5000000; touch done; exec sleep 1000")
    ended = threading.Event()
    while not (session.workspace / "done").exists():
        assert not ended.wait(0.01)


@pytest.mark.parametrize("stream", [False, True])
def test_reopening_a_standard_stream_loses_nothing(session: BunSession, stream: bool) -> None:
    """``> /dev/stderr`` truncated the file behind standard error."""
    command = "echo 1 >&2; echo 2 > /dev/stderr; echo 3 >&2; echo 4; echo 5 > /dev/stdout; echo 6"

    outcome = run(session, command, stream=stream, max_output=MB)

    assert ("4\n5\n6\n", "1\n2\n3\n") == (outcome.stdout, outcome.stderr)


def test_a_background_process_may_keep_writing(session: BunSession) -> None:
    """A background process neither fails on a broken pipe nor blocks on a full one."""
    session.sh("(yes | head -c 3000000; touch done; exec sleep 1000) &")
    ended = threading.Event()
    while not (session.workspace / "done").exists():
        assert not ended.wait(0.01)

    assert session.runtime.processes()
