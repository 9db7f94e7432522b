"""The search for secrets in interactions recorded before the secrets were known."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buntime.cassette import history
from buntime.cassette.history import History

_texts = st.text(st.sampled_from('abcé"'), min_size=4, max_size=30)


@pytest.fixture(scope="module", autouse=True)
def small_blocks() -> Iterator[None]:
    """Index texts after a few searches."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(history, "_LARGE", 200)
        patched.setattr(history, "_SEARCHES", 3)
        yield


@given(st.lists(_texts, max_size=20), st.lists(st.lists(_texts, max_size=3), max_size=10))
def test_each_recording_with_a_secret_is_found(recorded: list[str], searches: list[list[str]]) -> None:
    """Only those are, whether the texts have an index or not."""
    lines = History()
    for number, text in enumerate(recorded):
        lines.add(number, json.dumps(text)[1:-1])
    for needles in searches:
        escaped = [json.dumps(needle)[1:-1] for needle in needles]
        expected = {
            number for number, text in enumerate(recorded) if any(needle in text for needle in needles)
        }
        assert expected == lines.containing(escaped)


def test_often_searched_text_is_indexed() -> None:
    """A large one is not, because its index would need too much memory."""
    recorded = History()
    recorded.add(0, "a" * 300)
    recorded.add(1, "b" * 70)
    for _ in range(5):
        recorded.containing(["secret"])
    assert {"": [0], "bbbb": [1]} == recorded._lines_with
    recorded.add(2, "c" * 70)
    for text, number in (("aaaa", 0), ("bbbb", 1), ("cccc", 2)):
        assert {number} == recorded.containing([text])
