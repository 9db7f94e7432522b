"""The last event of a large recorded stream that did not end was found by decoding all of its events."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest

from buntime._support.packed import PackedList, pack
from buntime.cassette.body import last_without_repetition
from buntime.cassette.dialect import dialect_of


def test_only_the_last_event_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program stopped reading, or the connection broke: the events are not decoded for that."""

    def refuse(_: Any) -> NoReturn:
        raise AssertionError("the events were decoded")

    event = [0, "stdout", {"text": "a"}]
    events = pack([event] * 3)
    monkeypatch.setattr(PackedList, "__iter__", refuse)
    assert [event] == last_without_repetition(events, dialect_of("/execute"))
