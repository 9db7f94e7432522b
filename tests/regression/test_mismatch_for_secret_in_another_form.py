"""A request was refused if a known secret with a quote stood before an unknown one in JSON."""

from __future__ import annotations

from typing import Any

from buntime.cassette.bindings import Bindings
from tests.support.cases import in_one_test

# In the recording, the first secret was the same in JSON as by itself.
TEMPLATE = '{"k":"«env:A»","t":"«env:B»"}'


@in_one_test(
    ("first", "text", "fits"),
    [
        ('a"b', '{"k":"a\\"b","t":"token"}', True),
        ('a"b', '{"k":"a"b","t":"token"}', True),
        ("a b", '{"k":"a b","t":"token"}', True),
        ('a"b', '{"k":"a\\"c","t":"token"}', False),
        ('a"b', '{"k":"a\\"b","u":"token"}', False),
    ],
)
def test_known_secret_in_any_form_beside_an_unknown_one(first: str, text: str, fits: bool) -> None:
    """The known one stands in any of its forms, and the unknown one is what remains."""
    bindings = Bindings()
    assert bindings.match({"json": "«env:A»"}, {"json": first})
    assert fits == bindings.match({"text": TEMPLATE}, {"text": text})
    expected: dict[str, Any] = {"«env:A»": first, **({"«env:B»": "token"} if fits else {})}
    assert expected == dict(bindings.items())
