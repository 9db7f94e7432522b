"""Executions on a real Bun, with and without a sandbox."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable

import pytest

from buntime.service.executors import Execution, ExecutionLost, ExecutionOutcome, Output, ResourceExceeded
from buntime.service.machine.executor import BunExecutor
from buntime.service.machine.find import find_bun
from buntime.service.machine.launch import Isolated, Unprotected
from tests.support.bun import BunSession, outcome_of, read_proc, wait_for_exit

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked for in /proc")

Open = Callable[..., BunSession]

WAIT_FOR = "until [ -e {0} ]; do sleep 0.01; done; "
ESCAPE = "(setsid sh -c '(touch started; exec sleep 1000) & exec sleep 1000' &) ; "


@pytest.fixture(scope="module", params=["required", "none"])
def executor(request: pytest.FixtureRequest) -> Iterator[BunExecutor]:
    """Return an executor with and without a sandbox."""
    executor = BunExecutor(isolation=request.param)
    yield executor
    executor.close()


@pytest.fixture
def open_session(executor: BunExecutor, tmp_path: Path) -> Iterator[Open]:
    """Return a function that opens sessions; they end with the test, and no process may remain."""
    opened: list[BunSession] = []

    def open_one(**options: Any) -> BunSession:
        number = len(opened) + 1
        session = BunSession.open(executor, tmp_path / f"w{number}", name=f"ses_{number}", **options)
        opened.append(session)
        return session

    yield open_one
    for session in opened:
        session.runtime.close()
        assert set() == session.host_pids()


@pytest.fixture
def session(open_session: Open) -> BunSession:
    """Return a session."""
    return open_session()


class TestCode:
    def test_typescript_runs_with_top_level_await(self, session: BunSession) -> None:
        """Code is TypeScript and may use top-level await."""
        outcome = session.run("const n: number = await Promise.resolve(41); console.log(n + 1)")

        assert ("42\n", "", 0) == (outcome.stdout, outcome.stderr, outcome.exit_code)

    def test_imports_are_relative_to_the_workspace(self, session: BunSession) -> None:
        """Code imports the session's files as if it were a file at the root of the workspace."""
        (session.workspace / "lib.ts").write_text("export const x: number = 7")

        assert session.run('import { x } from "./lib.ts"; console.log(x)').stdout == "7\n"

    def test_an_error_shows_its_position(self, session: BunSession) -> None:
        """An uncaught error gives exit code 1, with its line and column on stderr."""
        outcome = session.run("\n\n\n\nthrow new Error('no')")

        assert outcome.exit_code == 1
        assert "error: no" in outcome.stderr
        assert "[stdin]:5:11" in outcome.stderr

    def test_code_of_any_size(self, session: BunSession) -> None:
        """Five megabytes of code run."""
        outcome = session.run(f"const text = '{'x' * 5_000_000}'; console.log(text.length)")

        assert outcome.stdout == "5000000\n"

    def test_empty_code_does_nothing(self, session: BunSession) -> None:
        """An empty program runs successfully."""
        assert ("", "", 0) == _without_figures(session.run(""))

    def test_standard_input_is_empty(self, session: BunSession) -> None:
        """The standard input of a command is empty."""
        assert session.sh("cat; echo end").stdout == "end\n"


class TestSurroundings:
    def test_environment(self, session: BunSession) -> None:
        """An execution has exactly its own variables, including names that a shell cannot assign."""
        code = "console.log(process.env.A, process.env['my-name'], process.env.OTHER)"

        assert session.run(code, env={"A": "ä b", "my-name": "c"}).stdout == "ä b c undefined\n"
        assert session.run("console.log(process.env.A)").stdout == "undefined\n"

    def test_bun_is_on_the_path(self, session: BunSession) -> None:
        """A command finds bun."""
        assert session.sh("bun -e 'console.log(1)'").stdout == "1\n"

    def test_bun_runs_code_whatever_the_path(self, session: BunSession) -> None:
        """A caller's PATH applies to the programs that the code starts, not to running the code."""
        outcome = session.run("console.log(process.env.PATH)", env={"PATH": "/nowhere"})

        assert outcome.stdout.endswith(":/nowhere\n")

    def test_working_dir(self, session: BunSession) -> None:
        """An execution starts in its working directory."""
        (session.workspace / "a" / "b").mkdir(parents=True)

        outcome = session.sh("echo hi > file; pwd", working_dir="a/b")

        assert outcome.stdout.endswith("/a/b\n")
        assert (session.workspace / "a/b/file").read_text() == "hi\n"

    def test_a_deleted_working_dir(self, session: BunSession) -> None:
        """An execution that cannot start ends with an error message; the session remains usable."""
        outcome = session.sh("true", working_dir="gone")

        assert outcome.exit_code == 126
        assert "cannot start" in outcome.stderr
        assert session.sh("echo on").stdout == "on\n"

    def test_home_and_temporary_files_are_writable(self, session: BunSession) -> None:
        """Programs have a home and a temporary folder outside of the workspace."""
        outcome = session.sh('touch "$HOME/a" "$TMPDIR/b" && ls -A')

        assert ("", "", 0) == _without_figures(outcome)

    def test_the_preview_address_is_loopback_and_constant(
        self, executor: BunExecutor, session: BunSession
    ) -> None:
        """Every session has its own address on this machine."""
        assert executor.preview_url("ses_1") == session.runtime.preview_url
        assert session.runtime.preview_url.startswith("http://127.0.0.1:")


class TestOutput:
    def test_output_arrives_as_it_comes(self, session: BunSession) -> None:
        """The first output is delivered while the execution is running."""
        items = session.start(command="echo first; " + WAIT_FOR.format("go") + "echo second >&2; exit 3")

        assert next(items) == Output("stdout", "first\n")
        (session.workspace / "go").touch()
        assert next(items) == Output("stderr", "second\n")
        last = next(items)
        assert isinstance(last, ExecutionOutcome)
        assert ("first\n", "second\n", 3) == _without_figures(last)
        assert next(items, None) is None

    def test_a_timeout_does_not_end_the_iterator(self, session: BunSession) -> None:
        """A wait that exceeds the caller's timeout raises TimeoutError; the same iterator continues later."""
        items = session.start(command=WAIT_FOR.format("go") + "echo done", item_timeout=0.01)

        with pytest.raises(TimeoutError):
            next(items)
        (session.workspace / "go").touch()
        assert outcome_of(_ignore_timeouts(items)).stdout == "done\n"

    def test_output_of_ten_megabytes(self, session: BunSession) -> None:
        """Large output arrives complete, streamed or not."""
        code = "process.stdout.write('é'.repeat(5_000_000) + '.')"

        for stream in (True, False):
            assert session.run(code, stream=stream).stdout == "é" * 5_000_000 + "."

    def test_a_character_in_two_writes(self, session: BunSession) -> None:
        """A character is never split, and invalid bytes become U+FFFD."""
        command = f"printf '\\303'; {WAIT_FOR.format('go')} printf '\\251\\377'"
        items = session.start(command=command, item_timeout=0.05)
        with pytest.raises(TimeoutError):
            next(items)
        (session.workspace / "go").touch()

        assert outcome_of(_ignore_timeouts(items)).stdout == "é\ufffd"

    def test_a_dropped_iterator(self, session: BunSession) -> None:
        """An execution continues after its caller drops the iterator, and affects no other."""
        session.start(command="yes | head -c 3000000; touch done")

        assert session.sh(WAIT_FOR.format("done") + "echo on").stdout == "on\n"

    def test_exit_codes(self, session: BunSession) -> None:
        """An exit code is the program's, or 128 plus the number of the signal."""
        assert session.run("process.exit(42)").exit_code == 42
        assert session.sh("kill -TERM $$").exit_code == 143


class TestFigures:
    def test_cpu_time(self, session: BunSession) -> None:
        """CPU time counts computation, not waiting."""
        # The question for the time is a system call: it is asked between computations.
        computes = "for (let number = 0; number < 1e5; number++);"
        busy = session.run(f"const {{ cpuUsage }} = process; while (cpuUsage().user < 200_000) {computes}")

        assert busy.cpu_time >= 200
        assert busy.execution_time >= 100
        assert session.sh("sleep 0.3").cpu_time < 200

    def test_memory(self, session: BunSession) -> None:
        """Peak memory is that of the execution, without its supervisor."""
        big = session.run("const a = new Uint8Array(200 << 20).fill(1); console.log(a.length)")

        assert 200 << 20 <= big.memory_used < 400 << 20
        assert session.sh("true").memory_used < 10 << 20


class TestProcesses:
    def test_a_background_process_outlives_its_execution(self, session: BunSession) -> None:
        """A later execution sees a background process; it ends with the session."""
        pid = session.sh("sleep 1000 & echo $!").stdout.strip()

        assert session.runtime.processes() == 1
        assert session.sh(f"kill -0 {pid}").exit_code == 0
        session.wait_for_pids(1)
        session.runtime.close()
        assert set() == session.host_pids()

    def test_it_can_be_killed(self, session: BunSession) -> None:
        """A process is killed by its pid inside the session, exactly once."""
        pid = int(session.sh("sleep 1000 & echo $!").stdout)
        other = int(session.sh("setsid sleep 1000 & echo $!").stdout)

        assert session.runtime.kill(pid) == [pid]
        assert session.runtime.kill(pid) == []
        assert session.runtime.processes() == 1
        assert session.runtime.kill(None) == [other]
        assert session.runtime.processes() == 0

    @pytest.mark.parametrize("pid", [0, -1, 1, 2**22 + 1])
    def test_only_those_of_the_session(self, session: BunSession, pid: int) -> None:
        """Only processes of executions can be killed."""
        session.sh("sleep 1000 &")

        assert session.runtime.kill(pid) == []
        assert session.runtime.processes() == 1

    def test_not_those_of_the_host(self, session: BunSession) -> None:
        """A process of the host cannot be killed, even if the session could signal it."""
        session.sh("true")
        with _sleeper() as sleeper:
            assert session.runtime.kill(sleeper.pid) == []
            assert session.runtime.kill(os.getpid()) == []
            assert sleeper.poll() is None

    def test_killing_an_execution(self, session: BunSession) -> None:
        """A killed execution ends with exit code 137 and its output so far."""
        items = session.start(command="echo $$; sleep 1000")
        first = next(items)
        assert isinstance(first, Output)

        assert int(first.text) in session.runtime.kill(None)
        assert (first.text, "", 137) == _without_figures(outcome_of(items))

    def test_counting_starts_nothing(self, session: BunSession) -> None:
        """A session that has run nothing has no process, and counting starts none."""
        assert session.runtime.processes() == 0
        assert session.runtime.kill(None) == []
        assert session.runtime.kill(1) == []

    def test_deep_sleep(self, session: BunSession) -> None:
        """After all processes were ended, files still exist and executions run."""
        session.sh("echo kept > file; sleep 1000 &")

        session.runtime.end_processes()

        assert set() == session.host_pids()
        assert session.runtime.processes() == 0
        assert session.sh("cat file").stdout == "kept\n"


class TestLimits:
    def test_time(self, session: BunSession) -> None:
        """The time limit ends an execution with exit code 124 and keeps its output so far."""
        outcome = session.sh("echo partial; sleep 1000", timeout=1)

        assert ("partial\n", "", 124) == _without_figures(outcome)
        assert outcome.timed_out

    def test_time_reaches_detached_children(self, session: BunSession) -> None:
        """The time limit ends children in separate process sessions, even after a double fork."""
        session.sh(ESCAPE + WAIT_FOR.format("started") + "sleep 1000", timeout=1)

        assert session.runtime.processes() == 0
        assert set() == session.host_pids()

    def test_time_spares_other_executions(self, session: BunSession) -> None:
        """Other executions and background processes continue."""
        session.sh("sleep 1000 &")
        other = session.start(command=WAIT_FOR.format("go") + "echo fine")

        assert session.sh("sleep 1000", timeout=1).timed_out
        (session.workspace / "go").touch()

        assert outcome_of(other).stdout == "fine\n"
        assert session.runtime.processes() == 1

    @pytest.mark.parametrize("code", ["a.push(new Uint8Array(1 << 20).fill(1))", "a.push({ a: {} })"])
    def test_memory(self, open_session: Open, code: str) -> None:
        """An execution that exceeds the session's memory is ended with an error, and no other."""
        session = open_session(memory=200)

        with pytest.raises(ResourceExceeded) as caught:
            session.run(f"const a = []; for (;;) {code}")

        assert caught.value.code == "memory_limit_exceeded"
        assert (caught.value.details["limit"], caught.value.details["max"]) == ("memory", 200)
        assert session.run("console.log(1)").stdout == "1\n"

    def test_memory_is_counted_together(self, open_session: Open) -> None:
        """The children of an execution share its memory limit."""
        session = open_session(memory=200)
        child = "const a = new Uint8Array(120 << 20).fill(1); setInterval(() => a, 1000)"

        with pytest.raises(ResourceExceeded):
            session.sh('bun -e "$CHILD" & bun -e "$CHILD"', env={"CHILD": child})

        assert session.runtime.processes() == 0

    def test_little_memory_is_enough_to_start(self, open_session: Open) -> None:
        """Bun starts in a session with 128 MB."""
        assert open_session(memory=128).run("console.log(1)").stdout == "1\n"

    def test_file_size(self, open_session: Open) -> None:
        """No file exceeds the session's disk limit."""
        session = open_session(disk=1)

        assert session.sh("head -c 3000000 /dev/zero > file").exit_code != 0
        assert (session.workspace / "file").stat().st_size <= 1 << 20

    def test_lifetime(self, open_session: Open) -> None:
        """A session's processes end with its lifetime."""
        session = open_session(lifetime=0.5)

        assert session.sh("sleep 1000").exit_code == 137


class TestThreads:
    def test_many_concurrent_executions(self, session: BunSession) -> None:
        """Every execution receives its own output."""

        def several(thread: int) -> list[str]:
            return [session.run(f"console.log('{thread}-{number}')").stdout for number in range(4)]

        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(several, range(8)))

        assert results == [[f"{thread}-{number}\n" for number in range(4)] for thread in range(8)]

    def test_a_short_lived_thread_starts_the_session(self, session: BunSession) -> None:
        """A session does not end with the thread that started it."""
        thread = threading.Thread(target=session.sh, args=("sleep 1000 &",))
        thread.start()
        thread.join()

        assert session.runtime.processes() == 1

    @pytest.mark.parametrize("end", ["close", "end_processes"])
    def test_closing_under_a_caller(self, session: BunSession, end: str) -> None:
        """A waiting caller receives partial output and exit code 137 if another thread ends the session."""
        items = session.start(command="echo partial; sleep 1000")
        assert next(items) == Output("stdout", "partial\n")
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(outcome_of, items)
            getattr(session.runtime, end)()

            assert ("partial\n", "", 137) == _without_figures(waiting.result())


class TestEnds:
    def test_closing_twice(self, session: BunSession) -> None:
        """The second close does nothing, and nothing runs afterwards."""
        session.sh("true")
        session.runtime.close()
        session.runtime.close()

        with pytest.raises(ExecutionLost):
            session.sh("true")

    def test_closing_the_executor(self, executor: BunExecutor, tmp_path: Path) -> None:
        """Closing the executor ends its sessions."""
        session = BunSession.open(executor, tmp_path / "w")
        session.sh("sleep 1000 &")

        executor.close()

        assert set() == session.host_pids()
        assert session.runtime.closed

    def test_a_supervisor_that_is_lost(self, session: BunSession) -> None:
        """A lost execution raises an error, no process remains, and the next execution runs."""
        items = session.start(command="setsid sleep 1000 & echo on; exec sleep 1000")
        next(items)
        pids = session.wait_for_pids(2)
        (supervisor,) = {_parent(pid) for pid in pids} - pids

        os.kill(supervisor, signal.SIGKILL)

        with pytest.raises(ExecutionLost):
            outcome_of(items)
        assert session.sh("echo again").stdout == "again\n"
        assert set() == session.host_pids()

    def test_a_forked_child_cannot_use_the_session(self, session: BunSession) -> None:
        """A forked child gets an error from the session, and closing it there does not end the parent's."""
        session.sh("sleep 1000 &")

        assert (
            _in_a_fork(lambda: _error_message(session))
            == "this session belongs to the process that created it"
        )
        assert session.runtime.processes() == 1
        assert session.sh("echo on").stdout == "on\n"

    def test_the_parent_is_killed(self, session: BunSession, executor: BunExecutor, tmp_path: Path) -> None:
        """If the Python process is killed, everything in its sessions ends, and no temporary file remains."""
        isolation = "none" if isinstance(executor.launcher, Unprotected) else "required"
        script = (
            "import sys; from pathlib import Path; from buntime.service.machine.executor import BunExecutor\n"
            "from tests.support.bun import BunSession\n"
            "s = BunSession.open(BunExecutor(isolation=sys.argv[1]), Path(sys.argv[2]))\n"
            "s.sh('sleep 1000 & setsid sleep 1000 &')\n"
            "print(s.mark, flush=True)\n"
            "next(s.start(command='exec sleep 1000'))\n"
        )
        argv = [sys.executable, "-c", script, isolation, str(tmp_path / "killed")]
        temporary = tmp_path / "temporary"
        temporary.mkdir()
        env = {**os.environ, "TMPDIR": str(temporary)}
        with subprocess.Popen(
            argv, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2], env=env
        ) as parent:
            assert parent.stdout is not None
            orphan = BunSession(session.runtime, session.workspace, parent.stdout.readline().strip())
            orphan.wait_for_pids(3)
            parent.kill()

        while pids := orphan.host_pids():
            wait_for_exit(pids)
        # The supervisor removes its folder last, after all processes that it started.
        end = time.monotonic() + 10
        while files := os.listdir(temporary):
            assert time.monotonic() < end, files


def test_what_runs_after_an_execution_is_known_in_a_sandbox(
    executor: BunExecutor, session: BunSession
) -> None:
    """After it there are its processes or none; without a sandbox other programs may have its work."""
    isolated = isinstance(executor.launcher, Isolated)
    assert isolated == session.sh(":").no_process_left
    assert not session.sh("setsid sleep 1000 >/dev/null 2>&1 &").no_process_left
    assert not session.run("1").no_process_left
    session.runtime.kill(None)
    assert isolated == session.run("1").no_process_left


def test_without_proc_executions_run_and_end(tmp_path: Path) -> None:
    """Systems without /proc support output, exit codes, the time limit, kill and the end of the session."""
    executor = BunExecutor(isolation="none")
    executor.launcher = Unprotected(find_bun(None, os.environ), direct=True)
    session = BunSession.open(executor, tmp_path / "w")

    assert ("1\n", "", 0) == _without_figures(session.run("console.log(1)"))
    assert session.sh("kill -TERM $$").exit_code == 143
    assert session.sh("sleep 1000 & sleep 1000", timeout=1).timed_out
    items = session.start(command="echo $$; exec sleep 1000")
    first = next(items)
    assert isinstance(first, Output)
    assert session.runtime.processes() == 1
    assert session.runtime.kill(int(first.text)) == [int(first.text)]
    assert outcome_of(items).exit_code == 137
    assert session.runtime.kill(1) == []
    items = session.start(command="echo on; sleep 1000")
    next(items)
    executor.close()
    assert outcome_of(items).exit_code == 137
    # Without /proc nothing waits for the rest of a killed process group, which exits a moment later.
    wait_for_exit(session.host_pids())
    assert set() == session.host_pids()


def _without_figures(outcome: ExecutionOutcome) -> tuple[str, str, int]:
    return outcome.stdout, outcome.stderr, outcome.exit_code


def _ignore_timeouts(items: Iterator[Any]) -> Iterator[Any]:
    while True:
        with contextlib.suppress(TimeoutError):
            item = next(items, None)
            if item is None:
                return
            yield item


@contextlib.contextmanager
def _sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["/bin/sleep", "1000"]) as process:
        try:
            yield process
        finally:
            process.kill()


def _parent(pid: int) -> int:
    return int(read_proc(pid, "stat").rpartition(b")")[2].split()[1])


def _error_message(session: BunSession) -> str:
    session.runtime.close()
    session.runtime.end_processes()
    assert session.runtime.processes() == 0
    with pytest.raises(RuntimeError):
        session.runtime.kill(None)
    with pytest.raises(RuntimeError) as caught:
        session.runtime.run(Execution("1", None, {}, 30))
    return str(caught.value).partition(";")[0]


def _in_a_fork(function: Callable[[], str]) -> str:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, function().encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as file:
        output = file.read().decode()
    os.waitpid(child, 0)
    return output
