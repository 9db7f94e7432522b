"""Tests of the reports, replayed from recorded responses of a real Bun."""

from __future__ import annotations

import pytest
from reports import import_orders, monthly_totals

from buntime import Buntime, ExecutionFailedError, Session

ORDERS = "day,amount\n2024-01-05,10\n2024-01-20,5.5\n2024-02-01,7\n"


def test_orders_are_added_up_by_month(buntime_client: Buntime) -> None:
    """Each month has the sum of its orders."""
    assert {"2024-01": 15.5, "2024-02": 7} == monthly_totals(buntime_client, ORDERS)


@pytest.mark.parametrize("amount", ["much", "1 000", "--"])
def test_an_invalid_amount(buntime_client: Buntime, amount: str) -> None:
    """The program fails, and its error names the line."""
    with pytest.raises(ExecutionFailedError, match="not an amount: 2024-03-01"):
        monthly_totals(buntime_client, f"{ORDERS}2024-03-01,{amount}\n")


@pytest.mark.buntime(cassette="cassettes/busy.json", mode="replay")
def test_requests_are_repeated_if_the_service_is_busy(buntime_client: Buntime) -> None:
    """The cassette was edited by hand, as a service is rarely busy during a recording."""
    assert {"2024-01": 15.5, "2024-02": 7} == monthly_totals(buntime_client, ORDERS)


def test_an_import_shows_its_progress(buntime_session: Session) -> None:
    """Each part prints a line, in order."""
    assert [f"imported part {part}" for part in (1, 2, 3)] == list(import_orders(buntime_session))
