"""An interaction without ``headers`` in its file was taken for another than a response with no headers."""

from __future__ import annotations

from datetime import date
from typing import Any

from buntime.cassette.diff import compare
from buntime.cassette.file import VERSION, Cassette, Interaction

DAY = date(2026, 1, 1)


def _cassette(**fields: Any) -> Cassette:
    request = {"method": "POST", "path": "/execute", "json": {"code": "1"}}
    return Cassette(VERSION, DAY, (Interaction({"request": request, "response": {"status": 200, **fields}}),))


def test_missing_headers_are_no_headers() -> None:
    """A cassette that was edited, so that it has no headers, is as the service responds."""
    edited, now = _cassette(json={"executionTime": 1}), _cassette(headers={}, json={"executionTime": 2})
    assert compare(edited, now) == []
    assert compare(now, edited) == []
