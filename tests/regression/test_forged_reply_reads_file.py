"""The reply of a call named the file that the client then read and deleted, and a program can forge it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from buntime import Buntime, BuntimeError, InvalidResponseError
from tests.support import responses
from tests.support.cases import in_one_test
from tests.support.scripted import ScriptedTransport, always

VALID = ".buntime/results/0123456789abcdef0123456789abcdef.0"


def _service(reply: str) -> ScriptedTransport:
    result = responses.result(stdout=f"\x1ebuntime:call {reply}\n")
    return ScriptedTransport(always(responses.as_json, result))


@in_one_test(
    "name",
    [
        "any.txt",
        "a\0b",
        "",
        None,
        7,
        ["any.txt"],
        "\ud800",
        ".buntime/results/../../any.txt",
        ".buntime/results/x/any.txt",
        VALID.replace("results", "staged"),
        f"/workspace/{VALID}",
        f"{VALID}\n",
        f"{VALID}/../any.txt",
    ],
)
def test_a_forged_file_is_refused(name: Any) -> None:
    """Nothing is read or deleted: the client only accepts names as its own program gives them."""
    transport = _service(json.dumps({"stored": name}))
    with pytest.raises(InvalidResponseError, match="reply of a call"):
        Buntime(transport=transport).sessions.attach("ses_1").call("() => 1")
    assert ["POST /execute"] == transport.calls


@in_one_test(
    "reply",
    [
        '{"thrown": {"name": 1, "message": null, "stack": [], "details": 3}}',
        '{"thrown": {"details": []}}',
        '{"thrown": 7}',
        '{"error": {"code": [], "message": {}}}',
        '{"error": {"code": "ENOENT"}}',
        '{"error": 7}',
        '{"exit": {}}',
        '{"gone": true}',
        '{"unresolved": false}',
        "{}",
        '{"value":',
        '{"value":}',
        '{"value":{"$buntime": "date", "value": "x"}}',
        '{"value":{"$buntime": "date", "value": 1e300}}',
        '{"value":{"$buntime": [], "value": {}}}',
        '{"value":{"$buntime": "map", "value": [[{}, 1]]}}',
        '{"value":{"$buntime": "bytes", "value": "\\ud800"}}',
        '{"value":{"$buntime": "bigint", "value": "1e9"}}',
        '{"value":' + "[" * 100_000 + "}",
    ],
)
def test_any_other_forged_reply_is_one_of_our_errors(reply: str) -> None:
    """The message of the error is text, and it can be shown."""
    with pytest.raises(BuntimeError) as caught:
        Buntime(transport=_service(reply)).sessions.attach("ses_1").call("() => 1")
    assert isinstance(str(caught.value), str)
    assert isinstance(getattr(caught.value, "details", {}), (dict, type(None)))
