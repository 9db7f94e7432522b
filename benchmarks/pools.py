"""Many slow calls at once, over sessions that were made beforehand."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from benchmarks.calls import BODY
from benchmarks.measuring import Call, Effort, Round, compared, timed
from benchmarks.results import Table
from benchmarks.server import SLOW, loopback
from buntime import Buntime, Session, SessionPool

_CALLS, _SESSIONS = 100, 20
_ROUNDS = 21
_MILLISECONDS = 1e3


def measure(effort: Effort) -> list[Table]:
    """Measure calls that take 100 ms each on the server."""
    calls = effort.of(_CALLS)
    least = SLOW * -(-calls // _SESSIONS) * _MILLISECONDS
    with loopback() as url:
        contenders = {
            "buntime by hand": lambda stack: _round(_by_hand(f"{url}/slow", calls, stack)),
            "buntime SessionPool": lambda stack: _round(_pool(f"{url}/slow", calls, stack)),
        }
        rows = compared(contenders, effort.times(_ROUNDS), scale=_MILLISECONDS)
    title = f"{calls} calls of 100 ms over {_SESSIONS} sessions made beforehand; {least:.0f} ms at the least"
    return [Table("pool", title, "ms", "buntime by hand", rows)]


def _round(call: Call) -> Round:
    return lambda: timed(call, 1)


def _execute(session: Session, _item: int) -> str:
    return session.execute(BODY["code"]).stdout


def _by_hand(url: str, calls: int, stack: ExitStack) -> Call:
    """Return what a program does without the pool: a thread and a session for every twentieth call."""
    client = stack.enter_context(Buntime("btk_123", base_url=url, delete_on_close=True))
    sessions = [client.sessions.create() for _ in range(_SESSIONS)]
    threads = stack.enter_context(ThreadPoolExecutor(_SESSIONS))

    def work(first: int) -> list[str]:
        return [_execute(sessions[first], item) for item in range(first, calls, _SESSIONS)]

    return lambda: list(threads.map(work, range(_SESSIONS)))


def _pool(url: str, calls: int, stack: ExitStack) -> Call:
    client = stack.enter_context(Buntime("btk_123", base_url=url))
    pool = stack.enter_context(SessionPool(client, size=_SESSIONS))
    pool.warm()
    return lambda: [outcome.result() for outcome in pool.map(_execute, range(calls))]
