"""The forms in which a secret may stand in a text."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buntime.cassette.secrets.encodings import base64_runs, decode, encode, forms


@given(st.text(min_size=1))
def test_a_form_leads_back(value: str) -> None:
    """To the secret, or says that it cannot."""
    found = forms(value)
    assert "" == found[value]
    for text, form in found.items():
        assert text == encode(value, form)
        assert decode(text, form) in {value, None}
        assert (decode(text, form) is None) == ("base64" in form)


@given(st.binary(), st.text(min_size=5), st.binary())
def test_base64_is_found_among_other_bytes(before: bytes, value: str, after: bytes) -> None:
    """Wherever the secret begins."""
    text = base64.b64encode(before + value.encode() + after).decode()
    url = base64.urlsafe_b64encode(before + value.encode() + after).decode()
    for whole in (text, url):
        assert any(form in whole for form, name in forms(value).items() if name.startswith("base64"))


@given(st.text(min_size=1))
def test_json_in_json(value: str) -> None:
    """Up to three times over, each time with letters as they are or not."""
    for first in (True, False):
        for second in (True, False):
            for third in (True, False):
                text = value
                for ascii_only in (first, second, third):
                    text = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
                    assert text in forms(value)


def test_what_is_equal_has_one_name() -> None:
    """A plain secret looks the same in JSON and in a URL."""
    assert ["", "hex", "hex.upper", "base64", "base64.1", "base64.2"] == list(forms("hunter2x").values())
    assert ["", "hex"] == list(forms("abcd").values())


@pytest.mark.parametrize("form", ["", "json", "ascii+ascii", "url", "base64.1", "json+base64"])
def test_a_beginning(form: str) -> None:
    """It is of the secret itself, and does not tell it."""
    assert "hun" == encode("hunter2", "first.3")
    assert decode("hun", "first.3") is None
    assert encode("hunter2", form)


@pytest.mark.parametrize(("text", "form"), [('"', "json"), ("\\", "ascii"), ("xyz", "hex"), ("ff", "hex")])
def test_what_is_no_such_form(text: str, form: str) -> None:
    """It tells no secret."""
    assert decode(text, form) is None


def test_runs_of_base64() -> None:
    """Short ones are words; both alphabets are read."""
    secret = b"a text that is longer than a word \xff\xfe\xfb"
    for to_base64 in (base64.b64encode, base64.urlsafe_b64encode):
        runs = list(base64_runs(f'{{"base64": "{to_base64(secret).decode()}"}} and words'))
        assert [secret.decode("latin-1")] == runs
    assert [] == list(base64_runs("no run of characters here is long enough"))
