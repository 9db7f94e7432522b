"""What the figures are held against: ratios in one run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Optional

import attrs

from benchmarks.results import Table


@attrs.frozen
class Target:
    """A bound on a row's ratio to another row; on its own median where ``reference`` is "".

    It is an upper bound, unless ``at_least``. ``moonshot`` is what would be better still.
    """

    table: str
    row: str
    reference: str
    limit: Optional[float]
    moonshot: Optional[float] = None
    at_least: bool = False

    def measured(self, tables: Mapping[str, Table]) -> Optional[float]:
        """Return what the target is about, ``None`` where it was not measured."""
        table = tables.get(self.table)
        if table is None:
            return None
        if self.reference:
            return table.ratio(self.row, self.reference)
        row = table.row(self.row)
        return row.median if row else None

    def met(self, value: float, bound: Optional[float]) -> Optional[bool]:
        """Return whether the value keeps a bound, ``None`` without one."""
        if bound is None:
            return None
        return value >= bound if self.at_least else value <= bound


@attrs.frozen
class Verdict:
    """A target and what was measured."""

    target: Target
    value: float

    @property
    def met(self) -> Optional[bool]:
        """Whether the limit is kept; ``None`` without a limit."""
        return self.target.met(self.value, self.target.limit)

    @property
    def moonshot(self) -> Optional[bool]:
        """Whether the moonshot is reached; ``None`` without one."""
        return self.target.met(self.value, self.target.moonshot)


TARGETS = (
    Target("import", "import buntime", "import requests", 0.50, 0.40),
    Target("import", "from buntime import Buntime", "import requests", 0.60),
    Target("round trip", "buntime", "requests Session.post", 0.58),
    Target("round trip", "buntime", "runloop-api-client", 0.58),
    Target("round trip", "buntime", "httpx Client", 0.90),
    Target("round trip", "buntime", "urllib3 PoolManager", None, 1.25),
    Target("parser, 64 KB events", "buntime.wire.sse", "httpx-sse", 3.0, at_least=True),
    Target("load", "buntime", "", 50.0),
    Target("replay", "buntime", "", 100.0),
    Target("record", "buntime", "buntime alone", 1.25),
    Target("local", "buntime, isolation='none'", "subprocess.run([bun, '-'])", 1.3),
    Target("local", "buntime, isolated", "subprocess.run([bun, '-'])", 1.8, 1.5),
    Target("threads", "buntime, 64 threads", "urllib3, 64 threads", 0.75, at_least=True),
    Target("pool", "buntime SessionPool", "", 700.0),
    Target("many calls", "last tenth", "first tenth", 1.1),
    Target("many calls, memory", "growth of the process", "", 1024.0),
    Target("open sessions", "1,000 open sessions", "1 open session", 1.1),
)


def verdicts(tables: Iterable[Table]) -> list[Verdict]:
    """Return a verdict for each target that was measured."""
    by_name = {table.name: table for table in tables}
    measured = ((target, target.measured(by_name)) for target in TARGETS)
    return [Verdict(target, value) for target, value in measured if value is not None]


def bound(table: Table, row: str) -> Optional[float]:
    """Return the median that would just meet the strictest limit of a row, ``None`` without one."""
    bounds = [
        _in_unit(target, table) for target in TARGETS if (target.table, target.row) == (table.name, row)
    ]
    known = [one for one in bounds if one is not None]
    if not known:
        return None
    return max(known) if table.more_is_better else min(known)


def _in_unit(target: Target, table: Table) -> Optional[float]:
    if target.limit is None or not target.reference:
        return target.limit
    reference = table.row(target.reference)
    return None if reference is None or reference.median is None else target.limit * reference.median
