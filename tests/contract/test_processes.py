"""Background processes in a session."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from buntime import (
    Buntime,
    InvalidRequestError,
    ProcessLogs,
    Session,
    SessionNotFoundError,
    StreamEvent,
    WaitTimeoutError,
)
from buntime.transport import Transport
from tests.contract.background import (
    BOTH,
    CUT,
    ECHO,
    FAMILY,
    FOREVER,
    LARGE,
    LARGE_OUT,
    NAMED,
    READS_STDIN,
    SERVER,
)
from tests.contract.transports import FOR_HELPERS, KEY, SHARES_PORTS, matrix, runs_on
from tests.support import previews
from tests.support.ports import unused_port

RUNS_ON = FOR_HELPERS


def test_a_process_runs_to_its_end(session: Session) -> None:
    """Its exit code and output are available afterwards."""
    process = session.start(BOTH)
    assert 1 == process.number
    assert process.pid > 0
    assert 3 == process.wait(20)
    assert (False, 3) == (process.running(), process.exit_code)
    assert ProcessLogs("☃ out\n", "err\n", 8, 4) == process.logs()


def test_a_process_keeps_running(session: Session) -> None:
    """It is running when start returns, and counts as a process of the session."""
    with session.start(FOREVER) as process:
        assert StreamEvent("stdout", "up\n") == next(process.follow())
        assert (True, None) == (process.running(), process.exit_code)
        assert session.info().active_processes
    assert (False, 137) == (process.running(), process.exit_code)
    assert 0 == session.info().active_processes


def test_env_and_working_dir_apply_to_the_process(session: Session) -> None:
    """They apply as in an execution."""
    session.files.write("deep/x.txt", "")
    process = session.start(ECHO, env={"WORD": "hello ☃"}, working_dir="/workspace/deep")
    assert 0 == process.wait(20)
    assert "hello ☃ deep\n" == process.logs().stdout


def test_a_command_reads_nothing(session: Session) -> None:
    """A shell command runs too; its standard input is empty."""
    process = session.start(command=READS_STDIN)
    assert (0, "end\n") == (process.wait(20), process.logs().stdout)


def test_logs_resume(session: Session) -> None:
    """Reading from the previous offsets repeats no output; without new output they stay unchanged."""
    process = session.start(BOTH)
    process.wait(20)
    assert ProcessLogs("out\n", "", 8, 4) == process.logs(4, 4)
    assert ProcessLogs("", "", 8, 4) == process.logs(8, 4)


def test_logs_are_bounded(session: Session) -> None:
    """A part has at most 256 KB of each stream and whole characters, and the offsets continue after it."""
    process = session.start(LARGE)
    assert 0 == process.wait(20)
    pieces = [process.logs()]
    while pieces[-1].stdout:
        pieces.append(process.logs(pieces[-1].stdout_offset, pieces[-1].stderr_offset))
    assert LARGE_OUT == "".join(piece.stdout for piece in pieces)
    assert "e" * 1000 == "".join(piece.stderr for piece in pieces)
    assert all(len(piece.stdout.encode()) <= 256 * 1024 for piece in pieces)
    assert len(pieces) > 3


def test_follow_yields_everything(session: Session) -> None:
    """All output until the end of the process, also from given offsets."""
    process = session.start(LARGE)
    events = list(process.follow())
    assert LARGE_OUT == "".join(event.text for event in events if event.kind == "stdout")
    assert "e" * 1000 == "".join(event.text for event in events if event.kind == "stderr")
    offset = len(LARGE_OUT.encode()) - 1
    assert [StreamEvent("stderr", "e")] == list(process.follow(offset + 1, 999))


def test_follow_does_not_split_characters(session: Session) -> None:
    """A character that is written byte by byte arrives complete."""
    assert "a☃😀" == "".join(event.text for event in session.start(CUT).follow())


def test_waiting_ends_with_its_timeout(session: Session) -> None:
    """The error is also a builtin TimeoutError, and the process keeps running."""
    with session.start(FOREVER) as process:
        for timeout in (0, 0.2):
            with pytest.raises(WaitTimeoutError, match="process 1 is still running") as caught:
                process.wait(timeout)
            assert isinstance(caught.value, TimeoutError)
        assert process.running()


def test_kill_ends_the_process_group(session: Session) -> None:
    """Its children end with it; killing it again has no effect."""
    process = session.start(command=FAMILY)
    assert StreamEvent("stdout", "up\n") == next(process.follow())
    process.kill()
    process.kill()
    assert (137, 0) == (process.exit_code, session.info().active_processes)
    assert 137 == process.wait()


def test_killing_keeps_an_exit_code(session: Session) -> None:
    """A process that had already exited does not count as killed."""
    with session.start(BOTH) as process:
        process.wait(20)
    assert 3 == process.exit_code


@pytest.mark.usefixtures("ends_session")
def test_a_block_that_raises_kills_too(session: Session) -> None:
    """The block's error is raised, even if the session is already deleted."""
    with pytest.raises(ZeroDivisionError), session.start(FOREVER) as process:
        _ = 1 / 0
    assert not process.running()
    with session.start(FOREVER) as process:
        session.delete()
    with pytest.raises(SessionNotFoundError):
        process.running()


def test_another_client_lists_processes(session: Session, transport: Transport) -> None:
    """Another client lists them in the order of their numbers, including ended ones."""
    ended, running = session.start(BOTH), session.start(FOREVER)
    ended.wait(20)
    processes = Buntime(KEY, transport=transport).sessions.attach(session.id).processes()
    assert [(1, ended.pid), (2, running.pid)] == [(process.number, process.pid) for process in processes]
    assert [False, True] == [process.running() for process in processes]
    assert "☃ out\n" == processes[0].logs().stdout
    processes[1].kill()
    assert 137 == running.wait(20)


def test_concurrent_starts_get_different_numbers(session: Session) -> None:
    """Threads that start processes in one session get different numbers."""
    with ThreadPoolExecutor(4) as threads:
        started = list(threads.map(lambda _: session.start(BOTH), range(8)))
    assert list(range(1, 9)) == sorted(process.number for process in started)
    assert [3] * 8 == [process.wait(20) for process in started]


@matrix("working_dir", ["nowhere", "file", "..", "/etc"], common=1)
def test_a_failed_start_leaves_nothing(session: Session, working_dir: str) -> None:
    """No process, number or file remains."""
    session.files.write("file", "")
    with pytest.raises(InvalidRequestError):
        session.start(BOTH, working_dir=working_dir)
    assert [] == session.processes()
    assert 1 == session.start(BOTH).number


def test_kill_all_ends_processes(session: Session) -> None:
    """Every client sees them as killed."""
    process = session.start(FOREVER)
    assert session.kill_all().killed
    assert (False, 137) == (process.running(), process.exit_code)
    assert [False] == [processes.running() for processes in session.processes()]


def test_the_files_of_processes_are_hidden(session: Session) -> None:
    """They are in no list and no count."""
    session.start(BOTH).wait(20)
    assert ([], 0) == (session.files.list(), session.info().files_count)


@contextmanager
def free_port(transport_name: str) -> Iterator[int]:
    """Return a port without a listener: the same each time if sessions have separate ports."""
    if transport_name in SHARES_PORTS:
        with unused_port() as port:
            yield port
    else:
        yield 3000


def test_waiting_for_a_port(session: Session, transport_name: str) -> None:
    """It returns once a server accepts connections, and raises an error after the timeout."""
    with free_port(transport_name) as port, pytest.raises(WaitTimeoutError, match=str(port)):
        session.wait_for_port(port, timeout=0.2)
    # Bun chooses a shared port: another program could take the one that was free before.
    server_port = 0 if transport_name in SHARES_PORTS else port
    with session.start(SERVER, env={"PORT": str(server_port)}) as process:
        session.wait_for_port(server_port or int(next(process.follow()).text), timeout=20)


def test_previews_have_separate_addresses(client: Buntime) -> None:
    """Sessions have different addresses, and each address is constant."""
    with client.sessions.create() as one, client.sessions.create() as other:
        addresses = [one.preview_url, other.preview_url]
        assert [True, True] == [str(address).startswith("http") for address in addresses]
        assert 2 == len(set(addresses))
        one.start(FOREVER)
        assert addresses == [one.preview_url, other.preview_url]


@runs_on("local", "recorded_local", "replayed_local")
def test_previews_respond(client: Buntime, transport_name: str) -> None:
    """Two sandboxes serve the same port, and each is reachable at its own URL, also by WebSocket.

    Preview traffic does not use the transport: no recording contains it, and a replay has no server.
    """
    has_server = not transport_name.startswith("replayed")
    with client.sessions.create() as one, client.sessions.create() as other:
        for session, name in ((one, "one"), (other, "other")):
            session.start(NAMED, env={"NAME": name})
            session.wait_for_port(8080)
        if has_server:
            check_previews(one, other)
        one.kill_all()
        if has_server:
            assert previews.is_closed(str(one.preview_url))
    if has_server:
        assert previews.is_closed(str(one.preview_url))


def check_previews(one: Session, other: Session) -> None:
    """Check that the servers of two sessions reply with their session's name."""
    large = b"x" * 5_000_000
    for session, reply in ((one, b"one "), (other, b"other ")):
        assert reply == previews.get(str(session.preview_url))
        assert reply + large == previews.get(str(session.preview_url), large)
    assert "one hello" == previews.websocket_echo(str(one.preview_url), "hello")
