"""Recording and replay, compared with other cassette libraries."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Callable

from benchmarks.clients import HEADERS, SESSION
from benchmarks.measure import Effort, compare
from benchmarks.peers import import_peer
from benchmarks.server import loopback
from benchmarks.tables import Table
from buntime import Buntime
from buntime.transport import HTTPTransport, RecordingTransport, ReplayTransport, Transport

_REPLAYED, _REPLAY_ROUNDS = 2000, 11
_RECORDED, _RECORD_ROUNDS = 400, 21
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
def _requests(url: str, cassette: Callable[[Any], AbstractContextManager[Any]]) -> Iterator[Execute]:
    with import_peer("requests").Session() as session, cassette(session):
        session.headers.update(HEADERS)
        yield lambda code: session.post(f"{url}/execute", json={"sessionId": SESSION, "code": code}).json()


def _buntime_cassette(url: str, folder: Path) -> AbstractContextManager[Execute]:
    path = folder / "calls.json"
    return _buntime(ReplayTransport(path) if path.exists() else RecordingTransport(path, HTTPTransport(url)))


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
    "buntime": _buntime_cassette,
    "requests alone": lambda url, _: _requests(url, nullcontext),
    "requests + cassetter": _cassetter,
    "requests + betamax": _betamax,
    "requests + vcrpy": _vcrpy,
}


def measure(effort: Effort) -> list[Table]:
    """Measure opening and replaying one cassette, and recording."""
    with loopback() as url, TemporaryDirectory() as folder:
        return [
            _replay("load", "opening", url, Path(folder), effort),
            _replay("replay", "replaying", url, Path(folder), effort),
            _record("record", "", url, effort),
            _record("record and close", ", with its share of closing the cassette", url, effort),
        ]


def _replay(name: str, title: str, url: str, root: Path, effort: Effort) -> Table:
    count = effort.scale(_REPLAYED)

    def sample(label: str) -> float:
        recorder, folder = _RECORDERS[label], root / label
        if not folder.exists():
            folder.mkdir()
            _run(recorder, url, folder, count)
        opening, executing, _ = _run(recorder, url, folder, 0 if name == "load" else count)
        return opening if name == "load" else executing

    contenders = {label: partial(sample, label) for label in _RECORDERS if "alone" not in label}
    table = Table(name, f"{title} a cassette of {count:,}", "ms", "requests + cassetter")
    return compare(table, contenders, effort.scale_rounds(_REPLAY_ROUNDS))


def _record(name: str, title: str, url: str, effort: Effort) -> Table:
    count = effort.scale(_RECORDED)

    def sample(label: str) -> float:
        with TemporaryDirectory() as folder:
            _, executing, closing = _run(_RECORDERS[label], url, Path(folder), count)
        return (executing + (0.0 if name == "record" else closing)) / count

    contenders = {label: partial(sample, label) for label in _RECORDERS}
    peers = {label: "requests alone" for label in _RECORDERS if "requests" in label}
    table = Table(name, f"one of {count} recorded calls{title}", "µs", "buntime alone", references=peers)
    return compare(table, contenders, effort.scale_rounds(_RECORD_ROUNDS))


def _run(recorder: Recorder, url: str, folder: Path, count: int) -> tuple[float, float, float]:
    """Return the seconds to open a cassette, to execute ``count`` calls, and to close it."""
    codes = [f"console.log('line {number}')" for number in range(count)]
    start = time.perf_counter()
    with recorder(url, folder) as execute:
        opened = time.perf_counter()
        execute("the first call connects")
        connected = time.perf_counter()
        for code in codes:
            execute(code)
        executed = time.perf_counter()
    return opened - start, executed - connected, time.perf_counter() - executed
