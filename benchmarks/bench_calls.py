"""One execution and its result, on a connection that stays open."""

from __future__ import annotations

from benchmarks.clients import CLIENTS, DEVBOX_CLIENTS
from benchmarks.measure import Effort, compare, timing
from benchmarks.tables import Table

# Short samples and many rounds: a disturbance then affects neighbouring samples alike.
_CALLS, _ROUNDS = 20, 301


def measure(effort: Effort, url: str) -> list[Table]:
    """Measure one call of each client, and one command in a devbox."""
    title = "execute and its response over loopback, one connection"
    table = Table("round trip", title, "µs", "requests Session.post")
    title = "a command in a devbox over loopback, one connection"
    devbox_table = Table("devbox command", title, "µs", "runloop-api-client")
    tables = []
    for each, clients, base in ((table, CLIENTS, url), (devbox_table, DEVBOX_CLIENTS, f"{url}/runloop")):
        contenders = {name: timing(client(base), _CALLS) for name, client in clients.items()}
        tables.append(compare(each, contenders, effort.scale_rounds(_ROUNDS)))
    return tables
