"""The shell that is prepared for the next execution of a session, and the programs it starts."""

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
from tests.support.bun import BunSession, all_pids, outcome_of, read_proc, wait_for_exit

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked for in /proc")

SECRET = b"hunt3r2-of-the-launch"

POLLS = 10_000
"""How many requests a supervisor may receive before a shell must be ready."""


@pytest.fixture(params=["required", "none"])
def session(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BunSession]:
    """Return a session with and without isolation that has run something."""
    executor = BunExecutor(isolation=request.param)
    session = BunSession.open(executor, tmp_path / "w")
    session.sh("true")
    yield session
    executor.close()


class TestWaiting:
    def test_it_is_not_a_process_of_the_session(self, session: BunSession) -> None:
        """A waiting shell is not counted, and killing the session's processes spares it."""
        shell = _waiting_shell(session)

        assert session.runtime.processes() == 0
        assert session.runtime.kill(None) == []
        assert session.runtime.kill(shell) == []
        assert [shell] == _shells(session)

    def test_it_becomes_the_next_execution(self, session: BunSession) -> None:
        """The waiting shell becomes the process of the next execution."""
        shell = _waiting_shell(session)

        items = session.start(command="echo on; exec sleep 1000")
        next(items)

        assert {shell} == session.wait_for_pids(1)
        session.runtime.kill(None)
        assert outcome_of(items).exit_code == 137

    def test_no_shell_waits_beside_an_execution(self, session: BunSession) -> None:
        """No process of an execution finds a shell that it could manipulate."""
        _waiting_shell(session)

        items = session.start(command="echo on; exec sleep 1000")
        next(items)
        others = session.sh("true")

        assert others.exit_code == 0
        assert [session.runtime.processes() for _ in range(50)] == [1] * 50
        assert _shells(session) == []

    def test_no_shell_waits_beside_a_background_process(self, session: BunSession) -> None:
        """No shell waits while a background process runs."""
        session.sh("sleep 1000 &")

        assert [session.runtime.processes() for _ in range(50)] == [1] * 50
        assert _shells(session) == []

    def test_a_killed_shell_is_replaced(self, session: BunSession) -> None:
        """An execution runs even if the shell prepared for it was killed."""
        shell = _waiting_shell(session)

        os.kill(shell, signal.SIGKILL)
        wait_for_exit({shell})

        assert [session.sh("echo on").stdout for _ in range(3)] == ["on\n"] * 3

    def test_it_ends_with_the_session(self, session: BunSession) -> None:
        """The shell ends with its session."""
        shell = _waiting_shell(session)

        session.runtime.close()

        assert not _alive(shell)

    def test_it_ends_with_a_supervisor_that_is_killed(self, session: BunSession) -> None:
        """The shell ends if its supervisor is killed."""
        shell = _waiting_shell(session)

        os.kill(_parent(shell), signal.SIGKILL)
        wait_for_exit({shell})

        assert not _alive(shell)


class TestCommands:
    def test_the_environment_is_exact(self, session: BunSession) -> None:
        """Every variable reaches the program unchanged, whatever a shell does with its name."""
        env = {
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
            env.items()
            <= json.loads(session.run("console.log(JSON.stringify(process.env))", env=env).stdout).items()
        )

    def test_values_are_not_in_command_lines(self, session: BunSession) -> None:
        """Command lines are readable for other users, and never contain the values."""
        exposed: set[bytes] = set()
        ended = threading.Event()

        def watch() -> None:
            while not ended.is_set():
                exposed.update(line for pid in all_pids() if SECRET in (line := read_proc(pid, "cmdline")))

        watcher = threading.Thread(target=watch)
        watcher.start()
        for _ in range(40):
            session.sh("true", env={"DB_PASSWORD": SECRET.decode()})
        ended.set()
        watcher.join()

        assert set() == exposed

    def test_a_folder_that_cannot_be_entered(self, session: BunSession) -> None:
        """An inaccessible folder is reported like a missing one; root can enter any folder."""
        (session.workspace / "closed").mkdir(mode=0)

        outcome = session.sh("true", working_dir="closed")

        failed = outcome.exit_code == 126 and "cannot start the execution" in outcome.stderr
        assert failed or outcome.exit_code == 0

    @pytest.mark.parametrize("working_dir", ["", "it's a"])
    def test_no_variable_is_added(self, session: BunSession, working_dir: str) -> None:
        """A program sees the variables of the session and the caller only."""
        (session.workspace / "it's a").mkdir()

        outcome = session.sh("cat /proc/$$/environ; pwd >&2", working_dir=working_dir)

        variables = dict(line.split("=", 1) for line in outcome.stdout.split("\0") if line)
        assert sorted(variables) == ["HOME", "LANG", "MARK", "PATH", "PWD", "TMPDIR"]
        assert variables["PWD"] == outcome.stderr.strip()

    def test_a_command_is_one_argument(self, session: BunSession) -> None:
        """Quotes, newlines and dollar signs reach the command unchanged."""
        command = "printf '%s\\n' 'it'\\''s' \"$((1 + 1))\"\nprintf done"

        assert session.sh(command).stdout == "it's\n2\ndone"

    def test_a_command_is_not_an_option(self, session: BunSession) -> None:
        """A command that begins with a hyphen is treated as the name of a missing program."""
        assert session.sh("-n").exit_code == 127

    def test_a_large_command(self, session: BunSession) -> None:
        """A command of 100,000 characters arrives complete: more than the capacity of a pipe."""
        text = "x" * 100_000

        assert session.sh(f"printf %s {text} | wc -c").stdout.strip() == "100000"

    def test_no_descriptor_is_passed_on(self, session: BunSession) -> None:
        """A program has its three standard streams and no other open descriptor."""
        assert session.sh("for fd in /proc/$$/fd/*; do printf '%s ' ${fd##*/}; done").stdout in (
            "0 1 2 ",
            "0 1 2 3 ",
        )


def _waiting_shell(session: BunSession) -> int:
    for _ in range(POLLS):
        for shell in _shells(session):
            return shell
        session.runtime.processes()
    raise AssertionError("no shell became ready")


def _shells(session: BunSession) -> list[int]:
    """Return the waiting shells, without the session leaders that create them."""
    channel = session.runtime._channel
    assert channel is not None
    pids = [pid for pid in all_pids() if b"/proc/self/fd/4" in read_proc(pid, "cmdline")]
    leaders = {pid for pid in pids if _stat(pid)[3] == str(pid)}
    return [
        pid
        for pid in pids
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
    """Return state, parent, process group and session of a process; an ended one counts as a zombie."""
    return read_proc(pid, "stat").decode().rpartition(")")[2].split() or ["Z", "0", "0", "0"]
