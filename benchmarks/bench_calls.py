"""One execution and its result, on a connection that stays open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from benchmarks.clients import CLIENTS, DEVBOX_CLIENTS, Client
from benchmarks.measure import Contender, Effort, Sampler, compare, timed
from benchmarks.server import loopback
from benchmarks.tables import Table

# Short samples and many rounds: a disturbance then affects neighbouring samples alike.
_CALLS, _ROUNDS = 20, 301


def measure(effort: Effort) -> list[Table]:
    """Measure one call of each client, and one command in a devbox."""
    rounds = effort.scale_rounds(_ROUNDS)
    with loopback() as url:
        title = "execute and its response over loopback, one connection"
        table = Table("round trip", title, "µs", "requests Session.post")
        title = "a command in a devbox over loopback, one connection"
        devbox_table = Table("devbox command", title, "µs", "runloop-api-client")
        return [
            compare(table, _contenders(CLIENTS, url), rounds),
            compare(devbox_table, _contenders(DEVBOX_CLIENTS, f"{url}/runloop"), rounds),
        ]


def _contenders(clients: Mapping[str, Client], url: str) -> dict[str, Contender]:
    return {name: _contender(client, url) for name, client in clients.items()}


@contextmanager
def _contender(client: Client, url: str) -> Iterator[Sampler]:
    with client(url) as call:
        yield lambda: timed(call, _CALLS)
