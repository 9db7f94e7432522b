"""Tests that share a session and its cassette, so that the session is created and filled only once."""

from __future__ import annotations

import uuid

import pytest
from reports import COUNT, PROGRAM, count_orders

from buntime import Buntime, Session

ORDERS = "day,amount\n2024-01-05,10\n2024-01-20,5.5\n2024-02-01,7\n"


@pytest.fixture(scope="module")
def orders(buntime_module_session: Session) -> Session:
    """Return a session with the orders, shared by the module; its cassette is ``_module.json``."""
    buntime_module_session.files.write("orders.csv", ORDERS)
    return buntime_module_session


def test_totals(orders: Session) -> None:
    """The first test of the module uses the session."""
    assert {"2024-01": 15.5, "2024-02": 7} == orders.execute(PROGRAM).json()


def test_number_of_orders(orders: Session) -> None:
    """The second test uses it, too, and can also run alone."""
    assert 3 == orders.call(COUNT, "orders.csv")


@pytest.mark.buntime(ignore="metadata.run")
def test_count_with_a_new_id(buntime_client: Buntime) -> None:
    """The id is new in each run, so the marker leaves it out of the comparison."""
    assert 3 == count_orders(buntime_client, ORDERS, str(uuid.uuid4()))


@pytest.mark.buntime(mode="once")
def test_version(buntime_session: Session) -> None:
    """Recorded by the first run; to record it again, delete the cassette."""
    assert buntime_session.execute("console.log(typeof Bun.version)").stdout == "string\n"
