"""Recording and replay, compared with other cassette libraries, and recording 10,000 calls."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Callable

import attrs

from benchmarks.clients import HEADERS, SESSION, import_peer
from benchmarks.measure import Effort, compare, first_and_last, timed
from benchmarks.tables import Row, Table
from buntime import Buntime
from buntime.transport import HTTPTransport, RecordingTransport, ReplayTransport, Transport

_REPLAYED, _RECORDED, _ROUNDS = 2000, 400, 11
_RECORDINGS, _IN_A_ROW, _BLOCK = 3, 10_000, 20
_FEWER = {"requests + betamax": 10, "requests + vcrpy": 10}
"""Those that compare each request with all recorded ones get fewer executions; their time is scaled up."""
_MATCH = ["method", "uri", "body"]

Execute = Callable[[str], object]
"""Execute this code."""
Recorder = Callable[[str, Path], AbstractContextManager[Execute]]
"""Replay the cassette in this folder; if there is none, record the service at this URL."""


@contextmanager
def _buntime(transport: Transport) -> Iterator[Execute]:
    with Buntime("btk_123", transport=transport) as client:
        yield lambda code: client.execute(session_id=SESSION, code=code)


@contextmanager
def _in_new_sessions(transport: Transport) -> Iterator[Execute]:
    with Buntime("btk_123", transport=transport) as client:
        yield lambda code: client.sessions.create().execute(code)


@contextmanager
def _requests(url: str, cassette: Callable[[Any], AbstractContextManager[Any]]) -> Iterator[Execute]:
    with import_peer("requests").Session() as session, cassette(session):
        session.headers.update(HEADERS)
        yield lambda code: session.post(f"{url}/execute", json={"sessionId": SESSION, "code": code}).json()


def _transport(url: str, folder: Path) -> Transport:
    path = folder / "calls.json"
    return ReplayTransport(path) if path.exists() else RecordingTransport(path, HTTPTransport(url))


def _cassetter(url: str, folder: Path) -> AbstractContextManager[Execute]:
    use = import_peer("cassetter").use_cassette
    return _requests(url, lambda _: use(folder / "calls.yaml", match_on=_MATCH, intercept=["requests"]))


def _betamax(url: str, folder: Path) -> AbstractContextManager[Execute]:
    record = import_peer("betamax").Betamax
    return _requests(
        url, lambda session: record(session, str(folder)).use_cassette("calls", match_requests_on=_MATCH)
    )


def _vcrpy(url: str, folder: Path) -> AbstractContextManager[Execute]:
    use = import_peer("vcr").use_cassette
    return _requests(url, lambda _: use(str(folder / "calls.yaml"), match_on=_MATCH))


_RECORDERS: dict[str, Recorder] = {
    "buntime alone": lambda url, _: _buntime(HTTPTransport(url)),
    "buntime": lambda url, folder: _buntime(_transport(url, folder)),
    "requests alone": lambda url, _: _requests(url, nullcontext),
    "requests + cassetter": _cassetter,
    "requests + betamax": _betamax,
    "requests + vcrpy": _vcrpy,
}
_IN_NEW_SESSIONS: dict[str, Recorder] = {
    "buntime alone": lambda url, _: _in_new_sessions(HTTPTransport(url)),
    "buntime": lambda url, folder: _in_new_sessions(_transport(url, folder)),
}


def measure(effort: Effort, url: str) -> list[Table]:
    """Measure opening and replaying one cassette, and recording."""
    with TemporaryDirectory() as folder:
        return [
            _replay("load", "opening", url, Path(folder), effort),
            _replay("replay", "replaying", url, Path(folder), effort),
            *_record("record", "", _RECORDERS, url, effort),
            *_record("record sessions", ", each in a new session", _IN_NEW_SESSIONS, url, effort),
            _many_calls(url, effort),
        ]


def _replay(name: str, title: str, url: str, root: Path, effort: Effort) -> Table:
    count = effort.scale(_REPLAYED, minimum=10)

    def sample(label: str) -> float:
        recorder, folder, fewer = _RECORDERS[label], root / label, _FEWER.get(label, 1)
        if not folder.exists():
            folder.mkdir()
            _run(recorder, url, folder, count // fewer)
        opening, executing, _ = _run(recorder, url, folder, 0 if name == "load" else count // fewer)
        return (opening if name == "load" else executing) * fewer

    contenders = {label: partial(sample, label) for label in _RECORDERS if "alone" not in label}
    table = Table(name, f"{title} a cassette of {count:,}", "ms", "requests + cassetter")
    return compare(table, contenders, effort.scale_rounds(_ROUNDS))


def _record(
    name: str, title: str, recorders: dict[str, Recorder], url: str, effort: Effort
) -> Iterator[Table]:
    """Measure a recorded call without, and with its share of closing the cassette."""
    most = effort.scale(_RECORDED, minimum=10)

    def sample(label: str, with_closing: bool) -> float:
        count = most // _FEWER.get(label, 1)
        with TemporaryDirectory() as folder:
            _, executing, closing = _run(recorders[label], url, Path(folder), count)
        return (executing + closing * with_closing) / count

    peers = {label: "requests alone" for label in recorders if "requests" in label}
    table = Table(name, f"one of {most} recorded calls{title}", "µs", "buntime alone", references=peers)
    title = f"{table.title}, with its share of closing the cassette"
    for each in (table, attrs.evolve(table, name=f"{name} and close", title=title)):
        contenders = {label: partial(sample, label, each is not table) for label in recorders}
        yield compare(each, contenders, effort.scale_rounds(_ROUNDS))


def _many_calls(url: str, effort: Effort) -> Table:
    """Measure calls in a row, each in a new session and with a new value of an environment variable."""
    blocks, block = effort.scale(_IN_A_ROW // _BLOCK, minimum=10), effort.scale_block(_BLOCK)
    codes = (f"console.log('line {number}')" for number in itertools.count())
    samples: dict[str, tuple[float, ...]] = {"first tenth": (), "last tenth": ()}

    def call(client: Buntime) -> object:
        return client.sessions.create().execute(code := next(codes), env={"VALUE": code})

    for _ in range(_RECORDINGS):  # a machine that is slow for a second slows the unrecorded calls down most
        with TemporaryDirectory() as folder, Buntime("btk_123", transport=HTTPTransport(url)) as control:
            recorded = Buntime("btk_123", transport=_transport(url, Path(folder)))
            for row in first_and_last(partial(call, recorded), partial(call, control), block, blocks):
                samples[row.name] += row.samples
            recorded.close()
    title = f"one of {blocks * block:,} recorded calls with new secrets, beside unrecorded ones"
    rows = tuple(Row(name, each) for name, each in samples.items())
    return Table("many recorded calls", title, "x unrecorded", "first tenth", rows)


def _run(recorder: Recorder, url: str, folder: Path, count: int) -> tuple[float, float, float]:
    """Return the seconds to open a cassette, to execute ``count`` calls, and to close it."""
    codes = [f"console.log('line {number}')" for number in range(count)]
    start = time.perf_counter()
    with recorder(url, folder) as execute:
        opening = time.perf_counter() - start
        execute("the first call connects")
        executing = timed(lambda: deque(map(execute, codes), maxlen=0))
        start = time.perf_counter()
    return opening, executing, time.perf_counter() - start
