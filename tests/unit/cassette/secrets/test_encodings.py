"""The encodings of a secret in a text."""

from __future__ import annotations

import base64
import json

from hypothesis import given
from hypothesis import strategies as st

from buntime._support.base64_text import base64_in
from buntime._support.text_forms import STEPS
from buntime.cassette.secrets.placeholders import decode, encode, forms
from tests.support.cases import in_one_test


@given(st.text(min_size=1))
def test_an_encoded_secret_can_be_decoded(value: str) -> None:
    """The decoder returns the secret, or None if the form is ambiguous."""
    encodings = forms(value)
    assert "" == encodings[value]
    for text, form in encodings.items():
        assert text == encode(value, form)
        assert decode(text, form) in {value, None}
        assert (decode(text, form) is None) == ("base64" in form)


@given(st.binary(), st.text(min_size=5), st.binary())
def test_base64_is_found_among_other_bytes(before: bytes, value: str, after: bytes) -> None:
    """Wherever the secret starts among them."""
    text = base64.b64encode(before + value.encode() + after).decode()
    url = base64.urlsafe_b64encode(before + value.encode() + after).decode()
    for encoded in (text, url):
        assert any(form in encoded for form, name in forms(value).items() if name.startswith("base64"))


@given(st.text(min_size=4, max_size=6))
def test_the_shortest_secret_in_base64(value: str) -> None:
    """It has five bytes, wherever it starts: of fewer, the characters that it determines are in any text."""
    for form in ("base64", "base64.1", "base64.2"):
        assert (encode(value, form) in forms(value)) == (len(value.encode()) >= 5)


@given(st.text(min_size=1))
def test_json_in_json(value: str) -> None:
    """Up to three levels deep, each with letters as they are or escaped."""
    for first in (True, False):
        for second in (True, False):
            for third in (True, False):
                text = value
                for ascii_only in (first, second, third):
                    text = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
                    assert text in forms(value)


def test_each_form_of_a_text_with_one_special_character() -> None:
    """No form is left out because the others are equal to the text."""
    for character in map(chr, range(128)):
        text = f"first{character}last"
        assert {encode(text, form) for form in STEPS} <= forms(text).keys()


def test_equal_encodings_have_one_name() -> None:
    """A plain secret has the same form in JSON and in a URL."""
    assert ["", "hex", "hex.upper", "base64", "base64.1", "base64.2"] == list(forms("hunter2x").values())
    assert ["", "hex"] == list(forms("abcd").values())


@in_one_test("form", ["", "json", "ascii+ascii", "url", "base64.1", "json+base64"])
def test_a_prefix_of_a_secret(form: str) -> None:
    """It can be encoded but does not determine the secret."""
    assert "hun" == encode("hunter2", "first.3")
    assert decode("hun", "first.3") is None
    assert encode("hunter2", form)


@in_one_test(("text", "form"), [('"', "json"), ("\\", "ascii"), ("xyz", "hex"), ("ff", "hex")])
def test_decoding_an_invalid_form(text: str, form: str) -> None:
    """No secret is returned."""
    assert decode(text, form) is None


def test_runs_of_base64() -> None:
    """Short ones are words; both alphabets are decoded."""
    secret = b"a text that is longer than a word \xff\xfe\xfb"
    for to_base64 in (base64.b64encode, base64.urlsafe_b64encode):
        runs = list(base64_in(f'{{"base64": "{to_base64(secret).decode()}"}} and words'))
        assert secret.decode("latin-1") in runs
    assert [] == list(base64_in("no run of characters here is long enough"))
