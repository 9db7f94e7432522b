"""Samples, their medians and ratios, and the limits that the ratios must keep."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any, Optional

import attrs


@attrs.frozen
class Row:
    """The samples of one contender, one a round, or a note that explains why there are none."""

    name: str
    samples: tuple[float, ...] = ()
    note: str = ""

    @property
    def median(self) -> Optional[float]:
        """The median of the samples."""
        return statistics.median(self.samples) if self.samples else None

    @property
    def spread(self) -> Optional[float]:
        """The interquartile range divided by the median."""
        if len(self.samples) < 2 or not self.median:
            return None
        low, _, high = statistics.quantiles(self.samples, n=4, method="inclusive")
        return (high - low) / self.median


@attrs.frozen
class Table:
    """Contenders that are measured in the same rounds.

    The ratios refer to the row named ``reference``, except those of the rows in ``references``.
    """

    name: str
    title: str
    unit: str
    reference: str = ""
    rows: tuple[Row, ...] = ()
    more_is_better: bool = False
    references: Mapping[str, str] = attrs.Factory(dict)

    def row(self, name: str) -> Row:
        """Return the row with this name, without samples if it is missing."""
        return next((row for row in self.rows if row.name == name), Row(name))

    def ratio(self, name: str, reference: str = "") -> Optional[float]:
        """Return the median of the ratios of all rounds, or ``None`` if a row was not measured.

        A disturbance of a round affects both rows and cancels out. If the rows differ in their number of
        samples, this is the ratio of their medians.
        """
        one = self.row(name)
        two = self.row(reference or self.references.get(name, self.reference))
        if not one.samples or not two.samples:
            return None
        if len(one.samples) != len(two.samples):
            return statistics.median(one.samples) / statistics.median(two.samples)
        return statistics.median(a / b for a, b in zip(one.samples, two.samples))

    def figures(self) -> dict[str, Any]:
        """Return the medians, ratios and limits of this table as plain JSON values."""
        rows = [
            {
                "name": row.name,
                "median": _rounded(row.median),
                "ratio": _rounded(self.ratio(row.name)),
                "reference": self.references.get(row.name, self.reference),
                "spread": _rounded(row.spread),
                "note": row.note,
            }
            for row in self.rows
        ]
        limits = [figures for limit in LIMITS if (figures := limit.figures(self)) is not None]
        fields = attrs.asdict(self, filter=lambda field, _: field.name not in {"rows", "references"})
        return {**fields, "rows": rows, "limits": limits}


@attrs.frozen
class Limit:
    """A limit on the ratio of two rows, or on the median of one row if there is no ``reference``.

    It is an upper limit, or a lower one if ``at_least``. A ``goal`` is better still, but no run fails by it.
    """

    table: str
    row: str
    reference: str
    limit: Optional[float]
    goal: Optional[float] = None
    at_least: bool = False

    def figures(self, table: Table) -> Optional[dict[str, Any]]:
        """Return the limit and its measured value as JSON values, or ``None`` if it was not measured."""
        value = table.ratio(self.row, self.reference) if self.reference else table.row(self.row).median
        if table.name != self.table or value is None:
            return None
        met = {
            name: None if bound is None else value >= bound if self.at_least else value <= bound
            for name, bound in (("met", self.limit), ("goal_met", self.goal))
        }
        return {**attrs.asdict(self), "measured": _rounded(value), **met}


def number(value: Optional[float]) -> str:
    """Return a figure with three significant digits, or nothing for ``None``."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:#.3g}"


def _rounded(value: Optional[float]) -> Optional[float]:
    return None if value is None else float(f"{value:.5g}")


LIMITS = (
    Limit("import", "import buntime", "import requests", 0.50, 0.40),
    Limit("import", "from buntime import Buntime", "import requests", 0.60),
    Limit("import", "import buntime.runloop", "import requests", 1.2),
    Limit("round trip", "buntime", "requests Session.post", 0.58),
    Limit("round trip", "buntime", "runloop-api-client", 0.58),
    Limit("round trip", "buntime", "httpx Client", 0.90),
    Limit("round trip", "buntime", "urllib3 PoolManager", None, 1.25),
    Limit("devbox command", "buntime.runloop", "runloop-api-client", 0.55),
    Limit("parser, 64 KB events", "buntime's parser", "httpx-sse", 3.0, at_least=True),
    Limit("load", "buntime", "", 50.0),
    Limit("replay", "buntime", "", 100.0),
    Limit("record", "buntime", "buntime alone", 1.25, 1.2),
    Limit("record sessions", "buntime", "buntime alone", None, 1.2),
    Limit("many recorded calls", "last tenth", "first tenth", 1.1),
    Limit("local", "buntime, isolation='none'", "subprocess.run([bun, '-'])", 1.3),
    Limit("local", "buntime, isolated", "subprocess.run([bun, '-'])", 1.8, 1.5),
    Limit("threads", "buntime, 64 threads", "urllib3, 64 threads", 0.75, at_least=True),
    Limit("pool", "buntime SessionPool", "", 700.0),
    Limit("many calls", "last tenth", "first tenth", 1.1),
    Limit("many calls, memory", "growth of the process", "", 1024.0),
    Limit("open sessions", "1,000 open sessions", "1 open session", 1.1),
)
