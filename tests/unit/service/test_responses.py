"""How the service writes responses."""

from __future__ import annotations

import json

from buntime.service.responses import json_bytes
from tests.support.cases import in_one_test

LONG = 70_000


@in_one_test("end", ["", "\n", '"', "\\", "\x7f", "é", "😀", "\ud800", "\0"])
@in_one_test("position", [0, LONG, 2 * LONG])
def test_long_texts_are_encoded_like_short_ones(end: str, position: int) -> None:
    """The bytes of a response do not depend on how its texts are encoded, wherever an escape stands."""
    text = "x" * position + end + "y" * (2 * LONG - position)
    value = {"stdout": text, "a\n": [text[:10]], "stderr": "", "exitCode": 0, "none": None}
    assert json.dumps(value, separators=(",", ":")).encode() == json_bytes(value)
