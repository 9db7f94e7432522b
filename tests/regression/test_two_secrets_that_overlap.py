"""Of two secrets that overlap in a text, the second one's end stayed in the cassette."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buntime import Buntime
from buntime._support.spans import Span, cover, replace_spans
from buntime.transport import FakeTransport, RecordingTransport, ReplayTransport, Transport

SECRETS = {"USER_HOST": "admin@db.internal", "DB": "db.internal/prod?password=x1y2z3", "PATTERN": "abab" * 3}
TEXTS = [
    "admin@db.internal/prod?password=x1y2z3",
    "abab" * 5,
    "admin@db.internal/prod?password=x1y2z3db.internal/prod",
]


@pytest.mark.parametrize("text", TEXTS)
def test_no_end_of_a_secret_stays(text: str, tmp_path: Path) -> None:
    """The rest is a placeholder, too, which replay fills."""
    path = tmp_path / "x.json"

    def program(transport: Transport) -> str:
        with Buntime("btk_123", transport=transport) as client:
            session = client.sessions.create()
            session.execute("0", env=SECRETS)
            return session.execute("1").stdout

    fake = FakeTransport()
    fake.on_execute("0", stdout="")
    fake.on_execute("1", stdout=f"<{text}>")
    live = program(RecordingTransport(path, fake))
    assert live == program(ReplayTransport(path))
    recorded = path.read_text()
    assert "password" not in recorded
    assert "abab" not in recorded


@given(st.text("ab", max_size=20), st.lists(st.tuples(st.integers(0, 20), st.integers(1, 20)), max_size=8))
def test_all_that_spans_replace_is_covered_once(text: str, pairs: list[tuple[int, int]]) -> None:
    """Each character in one of them is replaced, no other is, and the replacements are the parts of texts."""
    spans: list[Span] = [
        (start, min(len(text), start + length), text[start : start + length])
        for start, length in pairs
        if start < len(text)
    ]
    covering = cover(spans, lambda part, count: part[count:])
    assert text == replace_spans(text, covering)
    positions = [position for start, end, _ in covering for position in range(start, end)]
    assert sorted({each for start, end, _ in spans for each in range(start, end)}) == positions
