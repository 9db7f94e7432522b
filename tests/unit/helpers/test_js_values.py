"""Conversion of Python values to JavaScript."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import IntEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buntime import Buntime
from buntime.helpers.js_values import decode, encode_arguments
from buntime.transport import FakeTransport
from tests.support.cases import in_one_test


class _Number(IntEnum):
    ONE = 1


# Values of pandas and numpy, which need not be installed.
_missing = type("NaTType", (datetime,), {"utcoffset": None, "__module__": "pandas._libs"})(1, 1, 1)
_scalar, _frame = (
    type(name, (), {method: None, "__module__": module})()
    for name, method, module in (("int64", "tolist", "numpy"), ("DataFrame", "to_dict", "pandas.core"))
)
_circular: list[Any] = []
_circular.append({"again": _circular})
_deep: list[Any] = []
for _ in range(300):
    _deep = [_deep]


@in_one_test(
    ("value", "error", "message"),
    [
        (object(), TypeError, r"^args\[1\] is of type object"),
        (Decimal("1.5"), TypeError, r"^args\[1\] is of type Decimal"),
        (date(2024, 1, 1), TypeError, r"^args\[1\] is of type date,"),
        (1j, TypeError, r"^args\[1\] is of type complex"),
        (range(3), TypeError, r"^args\[1\] is of type range"),
        ({"a": [0, {"b": object()}]}, TypeError, r"^args\[1\]\['a'\]\[1\]\['b'\] is of type object"),
        ({1: "a"}, TypeError, r"^args\[1\] has the key 1 of type int"),
        ([{None: 1}], TypeError, r"^args\[1\]\[0\] has the key None"),
        (datetime(2024, 1, 1), ValueError, r"^args\[1\] is a datetime without a time zone"),
        (datetime(2024, 1, 1, 0, 0, 0, 1, timezone.utc), ValueError, r"^args\[1\] .* 1 microseconds"),
        (_missing, TypeError, r"^args\[1\] is of type NaTType, .* pass None for a missing value$"),
        (_scalar, TypeError, r"^args\[1\] is of type numpy.int64, .* pass the result of its tolist\(\)$"),
        (
            _frame,
            TypeError,
            r"^args\[1\] is of type pandas.DataFrame, .* pass the result of its to_dict\(\)$",
        ),
        (_circular, ValueError, r"^args\[1\]\[0\]\['again'\] contains itself"),
        (_deep, ValueError, "200 levels"),
    ],
)
def test_a_value_without_a_javascript_form(value: Any, error: type[Exception], message: str) -> None:
    """The error has the argument and the position in it; nothing is sent."""
    fake = FakeTransport()
    with Buntime(transport=fake) as client, pytest.raises(error, match=message):
        client.sessions.attach("ses_1").call("(a, b) => 1", 1, value)
    assert [] == fake.calls


def test_equivalent_types() -> None:
    """Subclasses, views and other time zones are converted like the base type."""
    east = timezone(timedelta(hours=5))
    sent = encode_arguments([_Number.ONE, memoryview(b"a"), datetime(1970, 1, 1, 5, tzinfo=east), (1,)])
    assert [1, {"$buntime": "bytes", "value": "YQ=="}, {"$buntime": "date", "value": 0}, [1]] == sent


def test_the_same_value_twice_is_not_a_cycle() -> None:
    """It is sent twice."""
    shared = [1]
    assert [[[1], [1]]] == encode_arguments([[shared, shared]])


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.datetimes(timezones=st.just(timezone.utc)).map(lambda at: at.replace(microsecond=0))
    | st.sets(st.text(max_size=3)),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["a", "$buntime", "value", "__proto__"]), inner)
    ),
    max_leaves=20,
)


@given(value=_json)
def test_any_value_survives_the_round_trip(value: Any) -> None:
    """Both the client's decoder and the separate one of the service return an equal value."""
    assert [value] == decode(json.dumps(encode_arguments([value])))
    fake = FakeTransport()
    fake.on_call("(value) => value", handler=lambda received: [received == value, received])
    with Buntime(transport=fake) as client, client.sessions.create() as session:
        assert [True, value] == session.call("(value) => value", value)
