"""What an import costs, in processes that take turns."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack

import attrs

from benchmarks.measuring import Effort, Maker, Round, compared, timed
from benchmarks.peers import peer
from benchmarks.results import Row, Table
from benchmarks.server import ROOT

_BARE = "bare interpreter"
_STATEMENTS = {
    _BARE: "pass",
    "import attrs": "import attrs",
    "import requests": "import requests",
    "import buntime": "import buntime",
    "from buntime import Buntime": "from buntime import Buntime",
    "import httpx": "import httpx",
    "import runloop_api_client": "import runloop_api_client",
    "import e2b": "import e2b",
}
_ROUNDS, _BEST_OF = 21, 3
_MILLISECONDS = 1e3


def measure(effort: Effort) -> list[Table]:
    """Measure the time of a process with one import, and what is above one with none."""
    best_of = effort.of(_BEST_OF)
    contenders = {name: _maker(statement, best_of) for name, statement in _STATEMENTS.items()}
    whole = compared(contenders, effort.times(_ROUNDS), scale=_MILLISECONDS)
    above = tuple(_above(row, whole[0]) for row in whole[1:])
    return [
        Table("import", "an import, above the bare interpreter", "ms", "import requests", above),
        Table("import, whole process", "the same with the interpreter", "ms", "import requests", whole),
    ]


def _maker(statement: str, best_of: int) -> Maker:
    def make(_stack: ExitStack) -> Round:
        if statement.startswith("import "):
            peer(statement.removeprefix("import "))
        return lambda: min(timed(lambda: _run(statement), 1) for _ in range(best_of))

    return make


def _run(statement: str) -> None:
    subprocess.run([sys.executable, "-c", statement], cwd=ROOT, stdin=subprocess.DEVNULL, check=True)


def _above(row: Row, bare: Row) -> Row:
    samples = tuple(one - other for one, other in zip(row.samples, bare.samples))
    return attrs.evolve(row, samples=samples)
