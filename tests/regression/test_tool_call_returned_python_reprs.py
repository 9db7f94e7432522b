"""The tool ``call`` returned Python's texts for bytes, sets and dates, and errors without their names."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest

from buntime import Buntime, JavaScriptError
from buntime.tools import run_tool
from buntime.transport import FakeTransport

_VALUE = {"b": b"\x01\x02", "s": {"a"}, "n": float("nan"), "d": datetime(2026, 1, 2, tzinfo=timezone.utc)}
_JSON = {"b": "AQI=", "s": ["a"], "n": "nan", "d": "2026-01-02T00:00:00+00:00"}


def test_values_are_json() -> None:
    """Bytes are base64, sets lists, dates ISO 8601; numbers that JSON does not have are texts."""
    fake = FakeTransport()
    fake.on_call(lambda _: True, returns=_VALUE)
    with Buntime(transport=fake) as client, client.sessions.create() as session:
        assert json.loads(run_tool(session, "call", {"function": "() => value"})) == _JSON


@pytest.mark.parametrize(("message", "text"), [("", "RangeError: "), ("neg", "RangeError: neg")])
def test_errors_have_their_name(message: str, text: str) -> None:
    """The model reads which error it is, also if it has no message."""
    fake = FakeTransport()
    fake.on_call(lambda _: True, raises=JavaScriptError(message, name="RangeError"))
    with Buntime(transport=fake) as client, client.sessions.create() as session:
        result = run_tool(session, "call", {"function": "() => fail()"})
    assert (result.is_error, text in result) == (True, True)
