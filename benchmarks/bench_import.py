"""The time of an import, in fresh processes."""

from __future__ import annotations

from functools import partial

from benchmarks.clients import import_peer
from benchmarks.measure import Effort, compare, run_program, timed
from benchmarks.tables import Row, Table

_STATEMENTS = (
    "import attrs",
    "import requests",
    "import buntime",
    "from buntime import Buntime",
    "import buntime.runloop",
    "import httpx",
    "import runloop_api_client",
    "import e2b",
)
_ROUNDS, _BEST_OF = 21, 3


def measure(effort: Effort, _url: str) -> list[Table]:
    """Measure processes with one import, and subtract the time of a process without imports."""
    best_of = effort.scale(_BEST_OF)
    contenders = {code: partial(_sample, code, best_of) for code in _STATEMENTS}
    contenders = {"bare interpreter": partial(_sample, "pass", best_of), **contenders}
    table = Table("import, whole process", "the same with the interpreter", "ms", "import requests")
    total = compare(table, contenders, effort.scale_rounds(_ROUNDS))
    bare, *rows = total.rows
    above = [Row(row.name, tuple(map(float.__sub__, row.samples, bare.samples)), row.note) for row in rows]
    title = "an import, above the bare interpreter"
    return [Table("import", title, "ms", "import requests", tuple(above)), total]


def _sample(code: str, best_of: int) -> float:
    if code.startswith("import "):
        import_peer(code.removeprefix("import "))
    return min(timed(partial(run_program, code)) for _ in range(best_of))
