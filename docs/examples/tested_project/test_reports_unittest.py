"""A test with unittest, which opens its cassette itself."""

from __future__ import annotations

import unittest
from pathlib import Path

from reports import monthly_totals

from buntime.testing import cassette

CASSETTES = Path(__file__).with_name("cassettes")


class ReportTest(unittest.TestCase):
    """Reports of orders."""

    def test_no_orders(self) -> None:
        """Without orders, the report has no months."""
        with cassette(CASSETTES / "no_orders.json") as client:
            self.assertEqual({}, monthly_totals(client, "day,amount\n"))


if __name__ == "__main__":
    unittest.main()
