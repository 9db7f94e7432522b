"""One client in many threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager

from benchmarks.clients import OUTPUT, Call, buntime_call, urllib3_call
from benchmarks.measure import Effort, Sampler, compare
from benchmarks.server import loopback
from benchmarks.tables import Table

_COUNTS = (1, 2, 4, 8, 16, 32, 64)
_CALLS, _ROUNDS = 500, 7


def measure(effort: Effort) -> list[Table]:
    """Measure the calls a second of all threads together."""
    calls = effort.scale(_CALLS)
    contenders = {}
    with loopback() as url:
        for count in _COUNTS:
            contenders[_name("buntime", count)] = _contender(buntime_call(url, max(_COUNTS)), count, calls)
            contenders[_name("urllib3", count)] = _contender(urllib3_call(url, max(_COUNTS)), count, calls)
        title = f"one client in several threads, {calls} calls each, beside a PoolManager"
        peers = {_name("buntime", count): _name("urllib3", count) for count in _COUNTS}
        table = Table("threads", title, "calls/s", _name("urllib3", 1), (), True, peers)
        return [compare(table, contenders, effort.scale_rounds(_ROUNDS))]


def _name(client: str, count: int) -> str:
    return f"{client}, {count} thread{'s' * (count > 1)}"


@contextmanager
def _contender(client: AbstractContextManager[Call], count: int, calls: int) -> Iterator[Sampler]:
    with client as call:

        def work(ready: threading.Barrier) -> None:
            ready.wait()
            for _ in range(calls):
                assert call() == OUTPUT

        def sample() -> float:
            ready = threading.Barrier(count + 1)
            with ThreadPoolExecutor(count) as threads:
                futures = [threads.submit(work, ready) for _ in range(count)]
                ready.wait()
                start = time.perf_counter()
                for future in futures:
                    future.result()
                return count * calls / (time.perf_counter() - start)

        yield sample
