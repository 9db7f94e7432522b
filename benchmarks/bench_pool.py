"""Many slow calls concurrently, over sessions that exist already."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle, islice

from benchmarks.clients import CODE
from benchmarks.measure import Action, Effort, compare, timing
from benchmarks.server import SLOW
from benchmarks.tables import Table
from buntime import Buntime, Session, SessionPool

_CALLS, _SESSIONS, _ROUNDS = 100, 20, 21


def measure(effort: Effort, url: str) -> list[Table]:
    """Measure calls that take 100 ms each on the server."""
    calls = effort.scale(_CALLS)
    contenders = {
        "buntime by hand": timing(_by_hand(f"{url}/slow", calls)),
        "buntime SessionPool": timing(_pool(f"{url}/slow", calls)),
    }
    minimum = SLOW * -(-calls // _SESSIONS) * 1000
    title = f"{calls} calls of 100 ms over {_SESSIONS} prepared sessions; the minimum is {minimum:.0f} ms"
    table = Table("pool", title, "ms", "buntime by hand")
    return [compare(table, contenders, effort.scale_rounds(_ROUNDS))]


def _execute(session: Session, _item: int) -> str:
    return session.execute(CODE).stdout


@contextmanager
def _by_hand(url: str, calls: int) -> Iterator[Action]:
    with Buntime("btk_123", base_url=url, delete_on_close=True) as client:
        sessions = cycle([client.sessions.create() for _ in range(_SESSIONS)])
        with ThreadPoolExecutor(_SESSIONS) as threads:
            yield lambda: list(threads.map(_execute, islice(sessions, calls), range(calls)))


@contextmanager
def _pool(url: str, calls: int) -> Iterator[Action]:
    with Buntime("btk_123", base_url=url) as client, SessionPool(client, size=_SESSIONS) as pool:
        pool.warm()
        yield lambda: [outcome.result() for outcome in pool.map(_execute, range(calls))]
