"""Programs left running in a session."""

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
from tests.contract.transports import KEY, OF_HELPERS, SHARES_PORTS, matrix
from tests.support import previews
from tests.support.ports import unused_port

OVER = OF_HELPERS


def test_a_process_runs_to_its_end(session: Session) -> None:
    """Its exit code and what it wrote can be asked for afterwards."""
    process = session.start(BOTH)
    assert 1 == process.number
    assert process.pid > 0
    assert 3 == process.wait(20)
    assert (False, 3) == (process.running(), process.exit_code)
    assert ProcessLogs("☃ out\n", "err\n", 8, 4) == process.logs()


def test_a_process_runs_on(session: Session) -> None:
    """It is running when start has returned, and is counted among the session's processes."""
    with session.start(FOREVER) as process:
        assert StreamEvent("stdout", "up\n") == next(process.follow())
        assert (True, None) == (process.running(), process.exit_code)
        assert session.info().active_processes
    assert (False, 137) == (process.running(), process.exit_code)
    assert 0 == session.info().active_processes


def test_env_and_working_dir_are_those_of_the_process(session: Session) -> None:
    """As they are those of an execution."""
    session.files.write("deep/x.txt", "")
    process = session.start(ECHO, env={"WORD": "hello ☃"}, working_dir="/workspace/deep")
    assert 0 == process.wait(20)
    assert "hello ☃ deep\n" == process.logs().stdout


def test_a_command_reads_nothing(session: Session) -> None:
    """A shell command runs too; its standard input is at its end."""
    process = session.start(command=READS_STDIN)
    assert (0, "end\n") == (process.wait(20), process.logs().stdout)


def test_logs_resume(session: Session) -> None:
    """From the offsets of the piece before, nothing comes twice, and nothing new leaves them as they are."""
    process = session.start(BOTH)
    process.wait(20)
    assert ProcessLogs("out\n", "", 8, 4) == process.logs(4, 4)
    assert ProcessLogs("", "", 8, 4) == process.logs(8, 4)


def test_logs_are_bounded(session: Session) -> None:
    """A piece holds 256 KB of each stream at most, whole characters, and the offsets lead on."""
    process = session.start(LARGE)
    assert 0 == process.wait(20)
    pieces = [process.logs()]
    while pieces[-1].stdout:
        pieces.append(process.logs(pieces[-1].stdout_offset, pieces[-1].stderr_offset))
    assert LARGE_OUT == "".join(piece.stdout for piece in pieces)
    assert "e" * 1000 == "".join(piece.stderr for piece in pieces)
    assert all(len(piece.stdout.encode()) <= 256 * 1024 for piece in pieces)
    assert len(pieces) > 3


def test_follow_brings_everything(session: Session) -> None:
    """Until the end of the process, and from offsets on."""
    process = session.start(LARGE)
    events = list(process.follow())
    assert LARGE_OUT == "".join(event.text for event in events if event.kind == "stdout")
    assert "e" * 1000 == "".join(event.text for event in events if event.kind == "stderr")
    offset = len(LARGE_OUT.encode()) - 1
    assert [StreamEvent("stderr", "e")] == list(process.follow(offset + 1, 999))


def test_follow_cuts_no_character(session: Session) -> None:
    """One that is written byte by byte comes whole."""
    assert "a☃😀" == "".join(event.text for event in session.start(CUT).follow())


def test_waiting_ends_with_its_timeout(session: Session) -> None:
    """The error is a builtin TimeoutError too, and the process runs on."""
    with session.start(FOREVER) as process:
        for timeout in (0, 0.2):
            with pytest.raises(WaitTimeoutError, match="process 1 is still running") as caught:
                process.wait(timeout)
            assert isinstance(caught.value, TimeoutError)
        assert process.running()


def test_kill_ends_the_process_group(session: Session) -> None:
    """What the process started ends with it; killing twice is killing once."""
    process = session.start(command=FAMILY)
    assert StreamEvent("stdout", "up\n") == next(process.follow())
    process.kill()
    process.kill()
    assert (137, 0) == (process.exit_code, session.info().active_processes)
    assert 137 == process.wait()


def test_killing_keeps_an_exit_code(session: Session) -> None:
    """A process that has ended is not said to have been killed."""
    with session.start(BOTH) as process:
        process.wait(20)
    assert 3 == process.exit_code


def test_a_block_that_raises_kills_too(session: Session) -> None:
    """What the block raised comes out. Where the session is gone by then, there is nothing to do."""
    with pytest.raises(ZeroDivisionError), session.start(FOREVER) as process:
        _ = 1 / 0
    assert not process.running()
    with session.start(FOREVER) as process:
        session.delete()
    with pytest.raises(SessionNotFoundError):
        process.running()


def test_processes_are_found_again(session: Session, transport: Transport) -> None:
    """By another client, the ended ones too, in the order of their numbers."""
    ended, running = session.start(BOTH), session.start(FOREVER)
    ended.wait(20)
    found = Buntime(KEY, transport=transport).sessions.attach(session.id).processes()
    assert [(1, ended.pid), (2, running.pid)] == [(process.number, process.pid) for process in found]
    assert [False, True] == [process.running() for process in found]
    assert "☃ out\n" == found[0].logs().stdout
    found[1].kill()
    assert 137 == running.wait(20)


def test_many_at_once_have_each_a_number(session: Session) -> None:
    """Threads that start processes in one session do not get the same."""
    with ThreadPoolExecutor(4) as threads:
        started = list(threads.map(lambda _: session.start(BOTH), range(8)))
    assert list(range(1, 9)) == sorted(process.number for process in started)
    assert [3] * 8 == [process.wait(20) for process in started]


@matrix("working_dir", ["nowhere", "file", "..", "/etc"], everywhere=1)
def test_a_failed_start_leaves_nothing(session: Session, working_dir: str) -> None:
    """No process, no number that is used up, no file."""
    session.files.write("file", "")
    with pytest.raises(InvalidRequestError):
        session.start(BOTH, working_dir=working_dir)
    assert [] == session.processes()
    assert 1 == session.start(BOTH).number


def test_kill_all_ends_processes(session: Session) -> None:
    """They have then ended as killed, whoever asks."""
    process = session.start(FOREVER)
    assert session.kill_all().killed
    assert (False, 137) == (process.running(), process.exit_code)
    assert [False] == [found.running() for found in session.processes()]


def test_the_files_of_processes_are_hidden(session: Session) -> None:
    """What a process wrote is in no list and no count."""
    session.start(BOTH).wait(20)
    assert ([], 0) == (session.files.list(), session.info().files_count)


@contextmanager
def free_port(world: str) -> Iterator[int]:
    """Give a port on which nothing listens: the same each time, where sessions have ports of their own."""
    if world in SHARES_PORTS:
        with unused_port() as port:
            yield port
    else:
        yield 3000


def test_waiting_for_a_port(session: Session, world: str) -> None:
    """It returns once a server accepts, and raises where none does in time."""
    with free_port(world) as port, pytest.raises(WaitTimeoutError, match=str(port)):
        session.wait_for_port(port, timeout=0.2)
    with session.start(SERVER, env={"PORT": str(port)}):
        session.wait_for_port(port, timeout=20)


def test_previews_have_addresses_of_their_own(client: Buntime) -> None:
    """No two sessions have the same, and a session keeps its own."""
    with client.sessions.create() as one, client.sessions.create() as other:
        addresses = [one.preview_url, other.preview_url]
        assert [True, True] == [str(address).startswith("http") for address in addresses]
        assert 2 == len(set(addresses))
        one.start(FOREVER)
        assert addresses == [one.preview_url, other.preview_url]


def test_previews_answer(client: Buntime, world: str) -> None:
    """Two sessions serve the same port, and each is reached under its own URL, over WebSocket too.

    What is sent there goes through no transport: it is in no recording, and a replay has no server.
    """
    if world in SHARES_PORTS or world.endswith("fake"):
        pytest.skip("nothing serves on a fake; without isolation sessions share the port")
    answers = not world.startswith("replayed")
    with client.sessions.create() as one, client.sessions.create() as other:
        for session, name in ((one, "one"), (other, "other")):
            session.start(NAMED, env={"NAME": name})
            session.wait_for_port(8080)
        if answers:
            ask_previews(one, other)
        one.kill_all()
        if answers:
            assert previews.is_closed(str(one.preview_url))
    if answers:
        assert previews.is_closed(str(one.preview_url))


def ask_previews(one: Session, other: Session) -> None:
    """Ask the servers of two sessions that say what their session is called."""
    large = b"x" * 5_000_000
    for session, answer in ((one, b"one "), (other, b"other ")):
        assert answer == previews.get(str(session.preview_url))
        assert answer + large == previews.get(str(session.preview_url), large)
    assert "one hello" == previews.websocket_echo(str(one.preview_url), "hello")
