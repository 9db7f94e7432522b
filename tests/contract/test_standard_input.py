"""Standard input of processes and of executions."""

from __future__ import annotations

import hashlib
import io

import pytest

from buntime import ConflictError, InvalidRequestError, Session
from tests.contract.background import BOTH, CHECKSUM, LINES
from tests.contract.transports import FOR_HELPERS

RUNS_ON = FOR_HELPERS
BYTES = bytes(range(256)) * 600
"""More than one piece, with NULs and bytes that are not UTF-8."""
DIGEST = hashlib.sha256(BYTES).hexdigest() + "\n"


def test_a_process_reads_what_is_written(session: Session) -> None:
    """It arrives in order and exactly; after the end of it a write is an error, and closing again is not."""
    process = session.start(command=CHECKSUM, stdin=True)
    process.write(BYTES[:5])
    session.processes()[0].write(BYTES[5:])
    process.close_stdin()
    process.close_stdin()
    with pytest.raises(ConflictError, match="standard input of process 1") as caught:
        process.write("more")
    assert "stdin_closed" == caught.value.code
    assert 3 == process.wait(60)
    assert DIGEST == process.logs().stdout
    process.close_stdin()


def test_a_process_without_a_pipe(session: Session) -> None:
    """Writing to a process that was started without ``stdin`` is an error that names the argument."""
    with pytest.raises(InvalidRequestError, match="stdin=True"):
        session.start(BOTH).write("x")


def test_an_execution_reads_its_input(session: Session) -> None:
    """Text, bytes of any size and open files, for code and for commands."""
    assert "read é\nread b\n" == session.execute(LINES, stdin="é\nb").stdout
    for stdin in (BYTES, io.BytesIO(BYTES)):
        result = session.execute(command=CHECKSUM, stdin=stdin)
        assert (DIGEST, 3) == (result.stdout, result.exit_code)
    with session.stream(LINES, stdin=io.StringIO("streamed")) as stream:
        assert "read streamed\n" == "".join(event.text for event in stream)
    assert ([], 0) == (session.files.list(), session.info().files_count)
