"""A fresh process up to its first response: imports, making a client, connecting, one call."""

from __future__ import annotations

from functools import partial

from benchmarks.clients import CLIENTS, Client
from benchmarks.measure import Effort, compare, run_program
from benchmarks.tables import Table

_ROUNDS = 21
_PROGRAM = """
import sys, time
start = time.perf_counter()
from benchmarks import clients
with getattr(clients, sys.argv[1])(sys.argv[2]) as call:
    output = call()
    seconds = time.perf_counter() - start
assert output == clients.OUTPUT, output
print(seconds)
"""


def measure(effort: Effort, url: str) -> list[Table]:
    """Measure the first call of a process with each client."""
    contenders = {name: partial(_sample, client, url) for name, client in CLIENTS.items()}
    title = "a fresh process: importing, making a client, connecting, one call"
    table = Table("first call", title, "ms", "requests Session.post")
    return [compare(table, contenders, effort.scale_rounds(_ROUNDS))]


def _sample(client: Client, url: str) -> float:
    with client(url):
        """Report a missing package."""
    return float(run_program(_PROGRAM, client.__name__, url))
