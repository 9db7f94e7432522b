"""Recordings from a real Bun, in process and over HTTP, only change if the program does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from buntime import Buntime, Session
from buntime.transport import HTTPTransport, LocalTransport, RecordingTransport, Transport
from tests.contract import programs
from tests.support.cassettes import KEY, backdate, replay, run
from tests.support.serving import buntime_serve

pytestmark = pytest.mark.one_python

CHATTY = """
for (let i = 0; i < 40; i++) {
  process.stdout.write(`line ${i}\\n`);
  if (i % 7 === 0) await Bun.sleep(1);
}
"""


def exercise(session: Session) -> list[object]:
    """Use a little of everything, including results that vary from run to run."""
    session.files.write("data/in.txt", "a\nb\n")
    results = [session.execute(code).stdout for code in (programs.HELLO, programs.READS, programs.TYPESCRIPT)]
    with session.stream(CHATTY) as stream, session.stream(programs.STEPS) as other:
        results += ["".join(event.text for event in events) for events in (stream, other)]
    results += [session.execute(f"console.log('{session.id}', '{session.preview_url}')").stdout]
    timed_out = session.execute(programs.SLOW, timeout=1).timed_out
    killed = session.kill_all().killed
    paths = [file.path for file in session.files.list("data")]
    return [*results, timed_out, killed, paths, session.info().files_count]


def program(client: Buntime) -> list[list[object]]:
    """Use two sessions concurrently, each in a thread."""
    sessions = [client.sessions.create(metadata={"n": number}) for number in (1, 2)]
    with ThreadPoolExecutor(2) as threads:
        return list(threads.map(exercise, sessions))


@pytest.mark.parametrize("source", ["local", "http"])
def test_recording_again_keeps_the_file(source: str, tmp_path: Path) -> None:
    """The file is identical byte by byte, with threads, streams, time limits and previews."""
    path = tmp_path / "x.json"
    with ExitStack() as stack:
        url = stack.enter_context(buntime_serve("--api-key", KEY)).url if source == "http" else None

        def record() -> list[list[object]]:
            inner: Transport = LocalTransport() if url is None else HTTPTransport(url)
            return run(RecordingTransport(path, inner), program)

        live = record()
        before = backdate(path)
        for _ in range(2):
            record()
            assert before == path.read_bytes()
    recorded = [[str(result).replace("\n", " ") for result in results] for results in live]
    replayed = [[str(result).replace("\n", " ") for result in results] for results in replay(path, program)]
    for results, others in zip(recorded, replayed):
        assert results[:5] == others[:5]
        assert results[6:] == others[6:]
    assert ["ses_1 https://ses-1.preview.invalid ", "ses_2 https://ses-2.preview.invalid "] == [
        results[5] for results in replayed
    ]
