"""Standard input on a real Bun: behaviour that a model cannot show."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from buntime import Buntime, ConflictError, Session, WaitTimeoutError
from buntime.transport import LocalTransport
from tests.support import effort

FOREVER = "setInterval(() => {}, 1000)"


@pytest.fixture(scope="module", autouse=True)
def session() -> Iterator[Session]:
    """Return a session of this machine, whose supervisor and previews run."""
    with Buntime(transport=LocalTransport(), max_retries=0) as client, client.sessions.create() as session:
        session.start(FOREVER)
        yield session


READERS = [
    "for await (const piece of process.stdin) process.stdout.write(piece);",
    "process.stdout.write(await Bun.stdin.text());",
    "for await (const line of console) console.log(line);",
    "for (let line; (line = prompt('')) !== null; ) console.log(line.trimStart());",
    "const generic = <T>(value: T) => value; console.log(await new Response(Bun.stdin).text());",
]


def test_every_way_to_read(session: Session) -> None:
    """Code reads what is written, and then the end of it."""
    for code in READERS:
        process = session.start(code, stdin=True)
        process.write("hello\n")
        process.write("☃\n".encode())
        process.close_stdin()
        output = "".join(event.text for event in process.follow())
        assert ["hello", "☃"] == output.split()
        assert ["hello"] == session.execute(code, stdin="hello\n").stdout.split()


@settings(max_examples=effort.examples(4), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.one_of(st.binary(max_size=50), st.just(bytes(range(256)) * 400)), min_size=1, max_size=4))
def test_any_division_of_bytes_arrives(session: Session, pieces: list[bytes]) -> None:
    """Bytes that are written in pieces of any size arrive in order."""
    process = session.start(command="cat > received", stdin=True)
    for piece in pieces:
        process.write(piece)
    process.close_stdin()
    assert 0 == process.wait(60)
    assert b"".join(pieces) == session.files.read_bytes("received")


def test_a_process_that_does_not_read(session: Session) -> None:
    """A write waits for its timeout, says how much was accepted, and the next one continues behind that."""
    data = bytes(range(256)) * 10_000
    with session.start(command="while [ ! -e go ]; do sleep 0.05; done; sha256sum", stdin=True) as process:
        with pytest.raises(WaitTimeoutError, match=r"2095104 of 2560000 bytes were accepted"):
            process.write(data, timeout=0.1)
        with pytest.raises(WaitTimeoutError, match=r"0 of 1 bytes"):
            process.write("x", timeout=0)
        session.files.write("go", "")
        process.write(data[2095104:])
        process.close_stdin()
        assert 0 == process.wait(60)
        assert process.logs().stdout.startswith(hashlib.sha256(data).hexdigest())


def test_a_process_that_stops_reading(session: Session) -> None:
    """A write to a process that closed its input, or was killed, is an error and does not wait."""
    with session.start(command="exec <&-; echo closed; sleep 1000", stdin=True) as process:
        next(process.follow())
        with pytest.raises(ConflictError, match="has no reader") as caught:
            process.write("x" * 3_000_000)
        assert "stdin_closed" == caught.value.code
    with pytest.raises(ConflictError, match="has no reader"):
        process.write("x")


def test_two_writers(session: Session) -> None:
    """One that does not know of the other's bytes gets an error, and continues behind them."""
    process = session.start(command="cat", stdin=True)
    other = session.processes()[-1]
    process.write("1")
    other.write("2")
    with pytest.raises(ConflictError) as caught:
        process.write("3")
    assert "changed_meanwhile" == caught.value.code
    process.write("4")
    process.close_stdin()
    assert "124" == "".join(event.text for event in process.follow())


def test_a_program_that_cannot_start(session: Session) -> None:
    """Its exit code is 126, and stderr has a message; other exit codes are those of the program."""
    result = session.execute(command="cat", stdin="x", working_dir="absent")
    assert (126, True) == (result.exit_code, "cannot be started" in result.stderr)
    assert 137 == session.execute(command="kill -9 $$", stdin="").exit_code
    assert session.execute(FOREVER, stdin="x", timeout=1).timed_out
    result = session.execute(
        command="echo $WORD $BUN_OPTIONS; pwd; cat", stdin=b"\xff", env={"WORD": "hello"}, working_dir="."
    )
    assert "hello\n/workspace\n\ufffd" == result.stdout
