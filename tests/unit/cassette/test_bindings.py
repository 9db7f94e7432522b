"""Recorded requests as templates: which request fits, and which secrets it has."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from buntime.cassette.bindings import Bindings
from tests.support.cases import in_one_test

URL = "postgres://me:pass%25@db"


def _bound(recorded: Any, sent: Any, bindings: Bindings | None = None) -> dict[str, Any] | None:
    """Return the secrets after a request is matched, or ``None`` if it does not fit."""
    bindings = bindings or Bindings()
    return dict(bindings.items()) if bindings.match({"json": recorded}, {"json": sent}) else None


@in_one_test(
    ("recorded", "sent", "secrets"),
    [
        ("plain", "plain", {}),
        ("«env:A»", "secret", {"«env:A»": "secret"}),
        ({"pin": "«value:pin»"}, {"pin": 1234}, {"«value:pin»": 1234}),
        ("a «env:A» b", "a secret b", {"«env:A»": "secret"}),
        ("«env:A» b", "b b b", {"«env:A»": "b b"}),
        ("«env:A»«env:A»", "abab", {"«env:A»": "ab"}),
        ("x«env:A»y«env:A»z", "xayayayaz", {"«env:A»": "aya"}),
        ("«env:A» and «env:B»", "one and two", {"«env:A»": "one", "«env:B»": "two"}),
        (["«env:A» «env:B»", "«env:B»"], ["a b c d", "c d"], {"«env:A»": "a b", "«env:B»": "c d"}),
        ('"«env:A|json»"', '"a\\"b"', {"«env:A»": 'a"b'}),
        (["«env:A»", "login('«env:A»')"], ['a"b', "login('a\\\"b')"], {"«env:A»": 'a"b'}),
        ({"«env:A»": 1, "b": 2}, {"name": 1, "b": 2}, {"«env:A»": "name"}),
        (["«env:A»", "«env:A:2»"], ["one", "two"], {"«env:A»": "one", "«env:A:2»": "two"}),
        ("«env:A»", URL, {"«env:A»": URL, "«env:A.password»": "pass%"}),
    ],
)
def test_request_fits(recorded: Any, sent: Any, secrets: dict[str, Any]) -> None:
    """The texts around the placeholders are equal, and the rest are the secrets of this run."""
    assert secrets == _bound(recorded, sent)


@in_one_test(
    ("recorded", "sent"),
    [
        ("plain", "other"),
        ("«env:A»", ""),
        ("«env:A»", None),
        ("«env:A»", True),
        ("«env:A»", {"a": 1}),
        ("a «env:A» b", "a secret c"),
        ("a «env:A» b", "a b"),
        ("a «env:A»", 12),
        ("«env:A»«env:A»", "abc"),
        (["«env:A»", "«env:A»"], ["one", "two"]),
        (["«env:A»", "«env:A:2»"], ["one", "one"]),
        (["«env:A»"], ["one", "two"]),
        ({"«env:A»": 1}, {"name": 1, "more": 2}),
        ({"a": 1, "«env:A»": 2}, {"b": 1, "c": 2}),
        (1, 1.0),
        (1, True),
    ],
)
def test_request_does_not_fit(recorded: Any, sent: Any) -> None:
    """The text, the type, or the number of values or of secrets differs."""
    assert _bound(recorded, sent) is None


def test_secret_has_one_value_in_a_run() -> None:
    """A request with another value does not fit, and binds nothing."""
    bindings = Bindings()
    assert {"«env:A»": "one"} == _bound("«env:A»", "one", bindings)
    assert _bound(["«env:A»", "«env:B»"], ["two", "three"], bindings) is None
    assert {"«env:A»": "one"} == dict(bindings.items())
    assert ["one", "«env:B»", "x «env:B» one"] == bindings.fill(["«env:A»", "«env:B»", "x «env:B» «env:A»"])


def test_base64_is_kept_until_the_secret_is_known() -> None:
    """It does not determine the secret, and is returned as it was sent."""
    bindings = Bindings()
    assert {} == _bound("x «env:A|base64.1» y", "x Y3JldD y", bindings)
    assert "Y3JldD" == bindings.fill("«env:A|base64.1»")
    assert "«env:A»" == bindings.fill("«env:A»")


def test_credentials_are_numbered_as_in_a_recording() -> None:
    """The key of a second client is the second key."""
    bindings = Bindings()
    for key in ("one", "two", "one"):
        bindings.bind_credential("api_key", key)
    assert "one two" == bindings.fill("«api_key» «api_key:2»")


@given(st.lists(st.text(st.sampled_from("ab "), min_size=1, max_size=4), min_size=1, max_size=5), st.data())
def test_filled_template_fits(texts: list[str], data: st.DataObject) -> None:
    """Any text fits a template in which a part of it is a secret."""
    position = data.draw(st.integers(0, len(texts) - 1))
    recorded = ["«env:A»" if text == texts[position] else text for text in texts]
    bindings = Bindings()
    assert bindings.match({"text": "".join(recorded)}, {"text": "".join(texts)})
    assert "".join(texts) == bindings.fill("".join(recorded))
