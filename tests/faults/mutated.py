"""Event streams and cassettes with damages: ``python -m tests.faults.mutated --inputs 1000000 --seed 1``.

The originals are in ``corpus/``. Each input is one of them with a few random changes, which the client or the
replay transport reads: the only exceptions are documented ones, and no input takes more than a second.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Callable

import attrs

from buntime import Buntime, BuntimeError
from buntime.cassette.file import load
from buntime.transport import FunctionTransport, ReplayTransport, Request, Response

CORPUS = Path(__file__).parent / "corpus"
_SLOW = 1.0
_WORDS = (
    *(b"data:", b"event:", b"\n\n", b"\r\n", b"\r", b": ", b"\xef\xbb\xbf", b"\xff", b"\0", b"null", b"true"),
    *(b"[]", b"{}", b'"', b"\\ud800", b"1e999", b"-1", b"99999999999999999999", b"NaN", b"[" * 2000),
    *(
        b'{"type":"exit"}',
        b'"exitCode":',
        b'"type":',
        b'"stdout"',
        b'"error":',
        b'"request":',
        b'"response":',
    ),
    *(b"\xc2\xab", b"\xc2\xbb"),
    *(b'"helper":', b'"base64":', b"<<<<<<< ours\n", b'"status":', b'"buntime_cassette": 3', b"0"),
)


def mutate(content: bytes, source: random.Random) -> bytes:
    """Return the content with one to four changes."""
    data = bytearray(content)
    for _ in range(source.randint(1, 4)):
        at = source.randint(0, len(data))
        end = min(len(data), at + source.choice([1, 1, 2, 8, 64, 400]))
        change = source.randrange(5)
        if change == 0:
            data[at:end] = b""
        elif change == 1:
            data[at:at] = source.choice(_WORDS)
        elif change == 2:
            data[at:end] = bytes(source.randrange(256) for _ in range(end - at))
        elif change == 3:
            other = source.randint(0, len(data))
            data[other:other] = data[at:end]
        else:
            data[at:end] = source.choice(_WORDS)
    return bytes(data)


def read_stream(content: bytes, source: random.Random) -> None:
    """Read an execution whose output arrives as this content, split anywhere."""

    def respond(_request: Request) -> Response:
        cuts = sorted(source.randint(0, len(content)) for _ in range(source.randrange(4)))
        pieces = [content[start:end] for start, end in zip([0, *cuts], [*cuts, len(content)])]
        return Response(200, [("Content-Type", "text/event-stream")], pieces)

    client = Buntime(transport=FunctionTransport(respond), max_retries=0)
    with client.stream(session_id="ses_1", code="1") as stream:
        for event in stream:
            event.text.encode("utf-8", "surrogatepass")
    assert stream.result.exit_code is None or isinstance(stream.result.exit_code, int)


def read_cassette(content: bytes, source: random.Random) -> None:
    """Load a cassette, and sometimes replay a program from it."""
    folder = Path("/dev/shm") if os.path.isdir("/dev/shm") else Path(tempfile.gettempdir())
    path = folder / f"buntime-mutated-{os.getpid()}.json"
    path.write_bytes(content)
    try:
        load(path)
        if source.randrange(10) == 0:
            client = Buntime(transport=ReplayTransport(path), max_retries=0)
            session = client.sessions.create(ttl=600, metadata={"purpose": "reports"})
            session.files.read_bytes("b.bin")
    finally:
        path.unlink()


@attrs.define
class Report:
    """The outcomes of a run."""

    inputs: int = 0
    slowest: float = 0.0
    outcomes: Counter[str] = attrs.field(factory=Counter)
    failures: list[str] = attrs.field(factory=list)


READERS: dict[str, Callable[[bytes, random.Random], None]] = {
    "events": read_stream,
    "cassettes": read_cassette,
}


def originals(kind: str) -> list[bytes]:
    """Return the contents of the corpus of one kind."""
    return [path.read_bytes() for path in sorted((CORPUS / kind).iterdir())]


def run(kind: str, inputs: int, seed: int) -> Report:
    """Read that many inputs: of "events" or "cassettes"."""
    reader = READERS[kind]
    contents = originals(kind)
    report = Report()
    for number in range(inputs):
        source = random.Random(f"{seed} {number}")
        content = mutate(source.choice(contents), source)
        began = time.process_time()
        outcome = "read"
        try:
            reader(content, source)
        except BuntimeError as error:
            outcome = type(error).__name__
            str(error)
        except Exception as error:
            outcome = f"unexpected {type(error).__name__}"
            report.failures.append(f"{kind} {seed} {number}: {error!r:.200}")
        spent = time.process_time() - began
        if spent > _SLOW:
            report.failures.append(f"{kind} {seed} {number}: {spent:.1f} s")
        report.inputs += 1
        report.slowest = max(report.slowest, spent)
        report.outcomes[outcome] += 1
    return report


def main() -> None:
    """Print the report of each kind."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("kinds", nargs="*", default=list(READERS))
    arguments = parser.parse_args()
    for kind in arguments.kinds:
        report = run(kind, arguments.inputs, arguments.seed)
        print(kind, report.inputs, f"slowest {report.slowest:.3f} s", dict(report.outcomes), flush=True)  # noqa: T201
        for failure in report.failures[:20]:
            print("  ", failure, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
