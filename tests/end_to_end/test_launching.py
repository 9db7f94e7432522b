"""The shell that is made ready for the next execution of a session, and what it starts."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from buntime.service.machine.executor import BunExecutor
from tests.support.bun import BunSession, every_pid, read_proc, the_end, wait_for_the_end_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked for in /proc")

SECRET = b"hunt3r2-of-the-launch"

ASKED = 10_000
"""How often a supervisor is asked something before a shell must be there."""


@pytest.fixture(params=["required", "none"])
def session(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BunSession]:
    """Return a session of each kind that has run something."""
    executor = BunExecutor(isolation=request.param)
    session = BunSession.open(executor, tmp_path / "w")
    session.sh("true")
    yield session
    executor.close()


class TestWaiting:
    def test_it_is_no_process_of_the_session(self, session: BunSession) -> None:
        """A shell that waits is not counted, and killing the session's processes leaves it."""
        shell = _waiting_shell(session)

        assert session.runtime.processes() == 0
        assert session.runtime.kill(None) == []
        assert session.runtime.kill(shell) == []
        assert [shell] == _shells(session)

    def test_the_next_execution_is_what_it_becomes(self, session: BunSession) -> None:
        """The process that waited is the process of the execution."""
        shell = _waiting_shell(session)

        items = session.start(command="echo on; exec sleep 1000")
        next(items)

        assert session.host_pids() == {shell}
        session.runtime.kill(None)
        assert the_end(items).exit_code == 137

    def test_none_waits_beside_an_execution(self, session: BunSession) -> None:
        """No process of an execution finds a shell that it could reach into."""
        _waiting_shell(session)

        items = session.start(command="echo on; exec sleep 1000")
        next(items)
        others = session.sh("true")

        assert others.exit_code == 0
        assert [session.runtime.processes() for _ in range(50)] == [1] * 50
        assert _shells(session) == []

    def test_none_waits_beside_what_was_left_running(self, session: BunSession) -> None:
        """Nor does what an ended execution left."""
        session.sh("sleep 1000 &")

        assert [session.runtime.processes() for _ in range(50)] == [1] * 50
        assert _shells(session) == []

    def test_one_that_is_killed_is_replaced(self, session: BunSession) -> None:
        """An execution runs where the shell that waited for it was killed."""
        shell = _waiting_shell(session)

        os.kill(shell, signal.SIGKILL)
        wait_for_the_end_of({shell})

        assert [session.sh("echo on").stdout for _ in range(3)] == ["on\n"] * 3

    def test_it_ends_with_the_session(self, session: BunSession) -> None:
        """Nothing waits for a session that has ended."""
        shell = _waiting_shell(session)

        session.runtime.close()

        assert not _alive(shell)

    def test_it_ends_with_a_supervisor_that_is_killed(self, session: BunSession) -> None:
        """Nor for one whose supervisor was lost."""
        shell = _waiting_shell(session)

        os.kill(_parent(shell), signal.SIGKILL)
        wait_for_the_end_of({shell})

        assert not _alive(shell)


class TestOrders:
    def test_the_environment_is_exact(self, session: BunSession) -> None:
        """A variable of any name has the value it was given, whatever a shell makes of such a variable."""
        given = {
            "PPID": "1",
            "IFS": "x",
            "OPTIND": "7",
            "PS1": "",
            "-u": "v",
            "my name": "c",
            "é": "ü",
            "QUOTED": 'it\'s "$HOME" \\ `date`\n!',
        }

        assert (
            given.items()
            <= json.loads(session.run("console.log(JSON.stringify(process.env))", env=given).stdout).items()
        )

    def test_values_are_in_no_command_line(self, session: BunSession) -> None:
        """What another user can read of a process does not show them."""
        seen: set[bytes] = set()
        ended = threading.Event()

        def watch() -> None:
            while not ended.is_set():
                seen.update(line for pid in every_pid() if SECRET in (line := read_proc(pid, "cmdline")))

        watcher = threading.Thread(target=watch)
        watcher.start()
        for _ in range(40):
            session.sh("true", env={"DB_PASSWORD": SECRET.decode()})
        ended.set()
        watcher.join()

        assert set() == seen

    def test_a_folder_that_cannot_be_entered(self, session: BunSession) -> None:
        """It is said as for one that is not there; root enters any."""
        (session.workspace / "closed").mkdir(mode=0)

        outcome = session.sh("true", working_dir="closed")

        refused = outcome.exit_code == 126 and "cannot start the execution" in outcome.stderr
        assert refused or outcome.exit_code == 0

    @pytest.mark.parametrize("working_dir", ["", "it's a"])
    def test_no_variable_is_added(self, session: BunSession, working_dir: str) -> None:
        """A program finds what a session sets, and what the caller does."""
        (session.workspace / "it's a").mkdir()

        outcome = session.sh("cat /proc/$$/environ; pwd >&2", working_dir=working_dir)

        found = dict(line.split("=", 1) for line in outcome.stdout.split("\0") if line)
        assert sorted(found) == ["HOME", "LANG", "MARK", "PATH", "PWD", "TMPDIR"]
        assert found["PWD"] == outcome.stderr.strip()

    def test_a_command_is_one_argument(self, session: BunSession) -> None:
        """Quotes, lines and dollar signs of a command are its own."""
        command = "printf '%s\\n' 'it'\\''s' \"$((1 + 1))\"\nprintf done"

        assert session.sh(command).stdout == "it's\n2\ndone"

    def test_a_command_is_no_option(self, session: BunSession) -> None:
        """One that begins with a hyphen is the name of a program that is not there."""
        assert session.sh("-n").exit_code == 127

    def test_a_large_command(self, session: BunSession) -> None:
        """A command of 100,000 characters arrives whole: more than a pipe holds."""
        text = "x" * 100_000

        assert session.sh(f"printf %s {text} | wc -c").stdout.strip() == "100000"

    def test_no_descriptor_is_passed_on(self, session: BunSession) -> None:
        """A program has its three standard streams and nothing else open."""
        assert session.sh("for fd in /proc/$$/fd/*; do printf '%s ' ${fd##*/}; done").stdout in (
            "0 1 2 ",
            "0 1 2 3 ",
        )


def _waiting_shell(session: BunSession) -> int:
    for _ in range(ASKED):
        for shell in _shells(session):
            return shell
        session.runtime.processes()
    raise AssertionError("no shell was made ready")


def _shells(session: BunSession) -> list[int]:
    """Return the shells that wait: those that made them lead a session each, until they are gone."""
    channel = session.runtime._channel
    assert channel is not None
    made = [pid for pid in every_pid() if b"/proc/self/fd/4" in read_proc(pid, "cmdline")]
    leaders = {pid for pid in made if _stat(pid)[3] == str(pid)}
    return [
        pid
        for pid in made
        if pid not in leaders and _parent(pid) not in leaders and _descends(pid, channel._process.pid)
    ]


def _descends(pid: int, top: int) -> bool:
    while pid > 1:
        pid = _parent(pid)
        if pid == top:
            return True
    return False


def _alive(pid: int) -> bool:
    return _stat(pid)[0] not in ("Z", "X")


def _parent(pid: int) -> int:
    return int(_stat(pid)[1])


def _stat(pid: int) -> list[str]:
    """Return state, parent, process group and session of a process; of one that has ended, as of a zombie."""
    return read_proc(pid, "stat").decode().rpartition(")")[2].split() or ["Z", "0", "0", "0"]
