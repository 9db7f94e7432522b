"""A Celery task that renders a report in a session."""

from __future__ import annotations

import json

from celery import Celery, Task
from celery.signals import worker_process_shutdown

from buntime import APIConnectionError, Buntime, RateLimitError

app = Celery("reports")
_clients: list[Buntime] = []


def get_client() -> Buntime:
    """Return the client of this worker process."""
    if not _clients:
        _clients.append(Buntime())
    return _clients[0]


@worker_process_shutdown.connect
def close_client(**_: object) -> None:
    """Close the client when a worker process ends."""
    while _clients:
        _clients.pop().close()


@app.task(bind=True, max_retries=3)
def render(self: Task, rows: list[list[int]]) -> str:
    """Render rows; Celery repeats a failed call, unless the program may have run."""
    try:
        with get_client().sessions.create(ttl=300) as session:
            session.files.write("rows.json", json.dumps(rows))
            return session.execute(command="bun render.ts rows.json", check=True).stdout
    except (APIConnectionError, RateLimitError) as error:
        if error.maybe_executed:
            raise
        raise self.retry(exc=error, countdown=error.retry_after or 5) from error
