"""A value of a call in a form that no session sends could end the call with a built-in error."""

from __future__ import annotations

import pytest

from buntime import Buntime, InvalidResponseError
from buntime.helpers.js_values import decode
from tests.support import responses
from tests.support.cases import in_one_test
from tests.support.scripted import ScriptedTransport, always

_FORGED = [
    "",
    "{",
    "[" * 100_000,
    '{"$buntime": "bytes"}',
    '{"$buntime": []}',
    '{"$buntime": {}}',
    '{"$buntime": null, "value": 1}',
    '{"$buntime": "unknown", "value": 1}',
    '{"$buntime": "number", "value": null}',
    '{"$buntime": "number", "value": 1' + "0" * 400 + "}",
    '{"$buntime": "bigint", "value": null}',
    '{"$buntime": "bigint", "value": 1e999}',
    '{"$buntime": "bytes", "value": "a"}',
    '{"$buntime": "bytes", "value": 1}',
    '{"$buntime": "date", "value": "x"}',
    '{"$buntime": "date", "value": NaN}',
    '{"$buntime": "map", "value": [1]}',
    '{"$buntime": "map", "value": [[1, 2, 3]]}',
    '{"$buntime": "set", "value": 1}',
    '{"$buntime": "object", "value": 1}',
]


@in_one_test("text", _FORGED, ids=lambda text: text[:60])
def test_a_value_in_another_form(text: str) -> None:
    """It is a ``ValueError`` of the decoder, and an invalid response of the call."""
    with pytest.raises(ValueError):
        decode(text)
    result = responses.result(stdout=f'\x1ebuntime:call {{"value":{text}}}\n')
    client = Buntime(transport=ScriptedTransport(always(responses.as_json, result)), max_retries=0)
    with pytest.raises(InvalidResponseError, match="the value of a call has an unknown form"):
        client.sessions.attach("ses_1").call("() => 1")
