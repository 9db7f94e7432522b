"""One ``execute`` and its response, on a connection that stays open."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.clients import CLIENTS, Client
from benchmarks.measure import Effort, Sampler, compare, timed
from benchmarks.server import loopback
from benchmarks.tables import Table

# Short samples and many rounds: a disturbance then affects neighbouring samples alike.
_CALLS, _ROUNDS = 20, 301


def measure(effort: Effort) -> list[Table]:
    """Measure one call of each client."""
    with loopback() as url:
        contenders = {name: _contender(client, url) for name, client in CLIENTS.items()}
        title = "execute and its response over loopback, one connection"
        table = Table("round trip", title, "µs", "requests Session.post")
        return [compare(table, contenders, effort.scale_rounds(_ROUNDS))]


@contextmanager
def _contender(client: Client, url: str) -> Iterator[Sampler]:
    with client(url) as call:
        yield lambda: timed(call, _CALLS)
