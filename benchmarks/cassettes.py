"""Recording and replaying, beside the cassettes of others."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Callable

import attrs

from benchmarks.answers import SESSION
from benchmarks.calls import HEADERS
from benchmarks.measuring import Effort, Maker, Round, compared
from benchmarks.peers import peer
from benchmarks.results import Table
from benchmarks.server import loopback
from buntime import Buntime
from buntime.transport import HTTPTransport, RecordingTransport, ReplayTransport

INTERACTIONS = 2000
_RECORDED = 400
_ROUNDS, _RECORDING_ROUNDS = 11, 21
_MATCH = ["method", "uri", "body"]
_MILLISECONDS, _MICROSECONDS = 1e3, 1e6

Send = Callable[[str], object]
"""Executes this code."""
Open = Callable[[str, Path], AbstractContextManager[Send]]
"""Opens a cassette: to replay it where there is the file, else to record the service at this URL."""


@contextmanager
def _unrecorded(url: str, _path: Path) -> Iterator[Send]:
    with Buntime("btk_123", base_url=url) as client:
        yield lambda code: client.execute(session_id=SESSION, code=code)


@contextmanager
def _buntime(url: str, path: Path) -> Iterator[Send]:
    transport = ReplayTransport(path) if path.exists() else RecordingTransport(path, HTTPTransport(url))
    with Buntime("btk_123", transport=transport) as client:
        yield lambda code: client.execute(session_id=SESSION, code=code)


def _post(session: Any, url: str) -> Send:
    session.headers.update(HEADERS)
    return lambda code: session.post(f"{url}/execute", json={"sessionId": SESSION, "code": code}).json()


@contextmanager
def _requests(url: str, _path: Path) -> Iterator[Send]:
    with peer("requests").Session() as session:
        yield _post(session, url)


@contextmanager
def _vcrpy(url: str, path: Path) -> Iterator[Send]:
    with peer("vcr").use_cassette(str(path), match_on=_MATCH), _requests(url, path) as send:
        yield send


@contextmanager
def _betamax(url: str, path: Path) -> Iterator[Send]:
    with peer("requests").Session() as session:
        recorder = peer("betamax").Betamax(session, cassette_library_dir=str(path.parent))
        with recorder.use_cassette(path.stem, match_requests_on=_MATCH):
            yield _post(session, url)


@contextmanager
def _cassetter(url: str, path: Path) -> Iterator[Send]:
    use = peer("cassetter").use_cassette
    with use(path, match_on=_MATCH, intercept=["requests"]), _requests(url, path) as send:
        yield send


_RECORDERS: dict[str, tuple[Open, str]] = {
    "buntime": (_buntime, "calls.json"),
    "requests + cassetter": (_cassetter, "calls.yaml"),
    "requests + betamax": (_betamax, "calls.json"),
    "requests + vcrpy": (_vcrpy, "calls.yaml"),
}


def measure(effort: Effort) -> list[Table]:
    """Measure loading and replaying one cassette, and recording it."""
    count, rounds = effort.of(INTERACTIONS), effort.times(_ROUNDS)
    with loopback() as url, TemporaryDirectory() as folder:
        made = {
            name: _Made(opener, url, Path(folder, name, file), count)
            for name, (opener, file) in _RECORDERS.items()
        }
        return [
            _replay("load", f"opening a cassette of {count:,}", made, _Made.opening, rounds),
            _replay("replay", f"replaying {count:,} in their order", made, _Made.replaying, rounds),
            _recording(url, effort, closing=False),
            _recording(url, effort, closing=True),
        ]


def _codes(count: int) -> list[str]:
    return [f"console.log('line {number}')" for number in range(count)]


@attrs.frozen
class _Made:
    """A cassette of so many executions, recorded where it is first needed."""

    open: Open
    url: str
    path: Path
    count: int

    def record(self) -> None:
        if not self.path.exists():
            self.path.parent.mkdir(exist_ok=True)
            with self.open(self.url, self.path) as send:
                _seconds(send, _codes(self.count))

    def opening(self) -> float:
        start = time.perf_counter()
        with self.open(self.url, self.path):
            return time.perf_counter() - start

    def replaying(self) -> float:
        with self.open(self.url, self.path) as send:
            return _seconds(send, _codes(self.count))


def _replay(
    name: str, title: str, made: Mapping[str, _Made], measure: Callable[[_Made], float], rounds: int
) -> Table:
    contenders = {recorder: _replayed(cassette, measure) for recorder, cassette in made.items()}
    return Table(name, title, "ms", "requests + cassetter", compared(contenders, rounds, scale=_MILLISECONDS))


def _replayed(cassette: _Made, measure: Callable[[_Made], float]) -> Maker:
    def make(_stack: ExitStack) -> Round:
        cassette.record()
        return lambda: measure(cassette)

    return make


def _seconds(send: Send, codes: Iterable[str]) -> float:
    start = time.perf_counter()
    for code in codes:
        send(code)
    return time.perf_counter() - start


def _recording(url: str, effort: Effort, *, closing: bool) -> Table:
    count = effort.of(_RECORDED)
    recorders = {name: opener for name, (opener, _) in _RECORDERS.items()}
    own = recorders.pop("buntime")
    openers = {"buntime alone": _unrecorded, "buntime": own, "requests alone": _requests, **recorders}
    contenders = {name: _recorded(opener, url, count, closing) for name, opener in openers.items()}
    rows = compared(contenders, effort.times(_RECORDING_ROUNDS), scale=_MICROSECONDS)
    against = {name: "requests alone" for name in openers if name.startswith("requests")}
    return Table(
        "record and close" if closing else "record",
        f"one call of {count} that are recorded" + (", its share of the closing included" if closing else ""),
        "µs",
        "buntime alone",
        tuple(attrs.evolve(row, reference=against.get(row.name, "")) for row in rows),
    )


def _recorded(opener: Open, url: str, count: int, closing: bool) -> Maker:
    def measure() -> float:
        with TemporaryDirectory() as folder:
            with opener(url, Path(folder) / "calls.yaml") as send:
                send("the first call connects")
                calls = _seconds(send, _codes(count))
                start = time.perf_counter()
            return (calls + (time.perf_counter() - start if closing else 0.0)) / count

    def make(_stack: ExitStack) -> Round:
        # Where the recorder is missing, this says so.
        with TemporaryDirectory() as folder, opener(url, Path(folder) / "calls.yaml"):
            return measure

    return make
