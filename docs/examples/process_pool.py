"""Call a JavaScript function in the processes of a pool, each with a session of its own.

Runs on buntime.sh with BUNTIME_API_KEY set, and on this machine against ``buntime serve`` with
BUNTIME_BASE_URL.
"""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from typing import Any

from buntime import Buntime

WORKERS = 3


class Worker:
    """What a process of the pool keeps from one task to the next."""

    session: Any = None


def start(session_ids: Any) -> None:
    """Make this process's client and take one of the sessions."""
    Worker.session = Buntime().sessions.attach(session_ids.get())


def square(number: int) -> int:
    """Let JavaScript do the work."""
    return int(Worker.session.call("(n) => n * n", number))


def main() -> None:
    """Create the sessions here, where the end of the block deletes them, and map over them."""
    context = multiprocessing.get_context("spawn")
    with ExitStack() as stack:
        client = stack.enter_context(Buntime())
        session_ids = context.SimpleQueue()
        for _ in range(WORKERS):
            session_ids.put(stack.enter_context(client.sessions.create(ttl=3600)).id)
        pool = stack.enter_context(
            ProcessPoolExecutor(WORKERS, mp_context=context, initializer=start, initargs=(session_ids,))
        )
        print(list(pool.map(square, range(10))))


if __name__ == "__main__":
    main()
