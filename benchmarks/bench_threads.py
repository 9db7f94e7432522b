"""One client in many threads."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager

from benchmarks.clients import OUTPUT, Call, buntime_call, urllib3_call
from benchmarks.measure import Effort, Sampler, compare, timed
from benchmarks.tables import Table

_COUNTS = (1, 2, 4, 8, 16, 32, 64)
_CALLS, _ROUNDS = 500, 7


def measure(effort: Effort, url: str) -> list[Table]:
    """Measure the calls a second of all threads together."""
    calls = effort.scale(_CALLS)
    contenders, peers = {}, {}
    for count in _COUNTS:
        ours, theirs = (f"{client}, {count} thread{'s' * (count > 1)}" for client in ("buntime", "urllib3"))
        contenders[ours] = _contender(buntime_call(url, max(_COUNTS)), count, calls)
        contenders[theirs] = _contender(urllib3_call(url, max(_COUNTS)), count, calls)
        peers[ours] = theirs
    title = f"one client in several threads, {calls} calls each, beside a PoolManager"
    table = Table("threads", title, "calls/s", "urllib3, 1 thread", (), True, peers)
    return [compare(table, contenders, effort.scale_rounds(_ROUNDS))]


@contextmanager
def _contender(client: AbstractContextManager[Call], count: int, calls: int) -> Iterator[Sampler]:
    def work(_: int) -> None:
        for _ in range(calls):
            assert call() == OUTPUT

    with client as call, ThreadPoolExecutor(count) as threads:
        yield lambda: count * calls / timed(lambda: list(threads.map(work, range(count))))
