"""Map a JavaScript function over 1,000 items, with a session for each worker of Dask.

Needs ``pip install distributed``. It runs on buntime.sh with BUNTIME_API_KEY, and on
this machine against ``buntime serve`` with BUNTIME_BASE_URL.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from functools import partial
from tempfile import TemporaryDirectory
from typing import Any, Callable

import dask.config
from distributed import Client, LocalCluster, Worker, WorkerPlugin, get_worker

from buntime import Buntime, Session

LOCAL: dict[str, Any] = {
    "threads_per_worker": 1,
    "host": "127.0.0.1",
    "dashboard_address": None,
}


class SessionOfWorker(WorkerPlugin):
    """Gives each worker process its own client, and the session created for it."""

    name = "session-of-worker"

    def __init__(self, session_ids: dict[object, str]) -> None:
        """Take the ids of the sessions by the names of the workers."""
        self.session_ids = session_ids

    def setup(self, worker: Worker) -> None:
        """Attach when a worker starts, or is started again after it was lost."""
        self.client = Buntime(max_retries=5)
        self.session = self.client.sessions.attach(self.session_ids[worker.name])

    def teardown(self, worker: Worker) -> None:
        """Close the connections."""
        self.client.close()


def in_session(function: Callable[[Session, Any], Any], item: Any) -> Any:
    """Call a function with the session of the worker that this runs on."""
    worker: Any = get_worker()
    return function(worker.plugins[SessionOfWorker.name].session, item)


def map_in_sessions(
    function: Callable[[Session, Any], Any], items: Iterable[Any], *, workers: int
) -> list[Any]:
    """Return ``function(session, item)`` of every item, in their order.

    This process creates the sessions before the workers start, and deletes them when
    the workers have ended, also after an error.
    """
    with ExitStack() as stack:
        client = stack.enter_context(Buntime())
        names = range(workers)
        sessions = {
            name: stack.enter_context(client.sessions.create(ttl=3600))
            for name in names
        }
        scratch = stack.enter_context(TemporaryDirectory())
        stack.enter_context(dask.config.set(temporary_directory=scratch))
        cluster = stack.enter_context(LocalCluster(n_workers=workers, **LOCAL))
        engine: Any = stack.enter_context(Client(cluster))
        engine.register_plugin(
            SessionOfWorker({name: session.id for name, session in sessions.items()})
        )
        results: list[Any] = engine.gather(
            engine.map(partial(in_session, function), list(items))
        )
        return results


def square(session: Session, number: int) -> int:
    """Let JavaScript do the work."""
    return int(session.call("(n) => n * n", number, idempotent=True))


if __name__ == "__main__":
    squares = map_in_sessions(square, range(1000), workers=2)
    print(
        f"{len(squares)} squares, the last is {squares[-1]}, their sum {sum(squares)}"
    )
