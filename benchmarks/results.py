"""What was measured, as values."""

from __future__ import annotations

import statistics
from typing import Optional

import attrs


@attrs.frozen
class Row:
    """One contender: a sample a round, or a note why there is none.

    ``reference`` names the row that its ratio is to, where it is not the table's.
    """

    name: str
    samples: tuple[float, ...] = ()
    note: str = ""
    reference: str = ""

    @property
    def median(self) -> Optional[float]:
        """The median of the samples, ``None`` without any."""
        return statistics.median(self.samples) if self.samples else None

    @property
    def spread(self) -> Optional[float]:
        """The distance between the quartiles, as a share of the median."""
        if len(self.samples) < 2 or not self.median:
            return None
        low, _, high = statistics.quantiles(self.samples, n=4, method="inclusive")
        return (high - low) / self.median


@attrs.frozen
class Table:
    """Contenders that were measured in the same rounds, all in one unit.

    ``reference`` names the row that the ratios are to, "" for none; ``more_is_better`` says which way is
    good; ``benchmark`` is the one that it belongs to.
    """

    name: str
    title: str
    unit: str
    reference: str
    rows: tuple[Row, ...]
    more_is_better: bool = False
    benchmark: str = ""

    def row(self, name: str) -> Optional[Row]:
        """Return the row of this name, ``None`` where there is none."""
        return next((row for row in self.rows if row.name == name), None)

    def ratio(self, name: str, reference: Optional[str] = None) -> Optional[float]:
        """Return one row over another: the median of the ratios of each round.

        What disturbs a whole round disturbs neither more than the other. Where one took part in fewer rounds
        it is the ratio of their medians; ``None`` where one was not measured.
        """
        own = self.row(name)
        if own is None:
            return None
        other = self.row(reference or own.reference or self.reference)
        if other is None or not own.samples or not other.samples:
            return None
        if len(own.samples) != len(other.samples):
            return statistics.median(own.samples) / statistics.median(other.samples)
        return statistics.median(one / two for one, two in zip(own.samples, other.samples))
