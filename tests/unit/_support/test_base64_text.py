"""Base64 in lines, and the parts of a text in which it is looked for."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buntime._support import base64_text
from buntime._support.base64_text import base64_in, may_have_base64, unwrap
from tests.support.cases import in_one_test


@pytest.fixture(scope="module", autouse=True)
def small_parts() -> Iterator[None]:
    """Look at a text in parts of a few characters."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(base64_text, "_PART", 40)
        yield


@in_one_test(
    ("text", "unwrapped"),
    [
        ("abcdefgh\nabc", "abcdefghabc"),
        ("abcdefgh\r\nabc", "abcdefghabc"),
        ("abcdefgh\\nabc", "abcdefghabc"),
        ("abcdefgh\\\\r\\\\nabc", "abcdefghabc"),
        ("é: abcdefgh\nabc\nd", "é: abcdefghabcd"),
        ("abcdefg\nabc", "abcdefg\nabc"),
        ("abcdefgh\n\n  abc.\n", "abcdefgh\n\n  abc."),
        ("abcdefgh, abc", "abcdefgh, abc"),
    ],
)
def test_unwrapped_text(text: str, unwrapped: str) -> None:
    """It has no line ends before base64 if one of its lines is long enough."""
    assert unwrapped == unwrap(text)


@given(st.text(st.sampled_from("ab\n é"), max_size=100), st.integers(20, 28), st.text(max_size=40))
def test_base64_is_found_in_any_part(before: str, length: int, after: str) -> None:
    """Also where two parts meet."""
    text = f"{before}:{'Q' * length}:{after}"
    assert may_have_base64(text) == any(True for _ in base64_in(text))
    assert unwrap(f"{before}:{'Q' * length}\nQ").endswith(f":{'Q' * (length + 1)}")


@in_one_test("position", range(30, 50))
def test_base64_in_a_url_is_found_in_any_part(position: int) -> None:
    """The slashes before it are not the first of its groups of four, also where two parts meet."""
    before = "." * position
    assert "Q" * 30 in [*base64_in(f"{before}://{base64.b64encode(b'Q' * 30).decode()}")]
