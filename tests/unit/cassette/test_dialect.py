"""Helper calls are stored decoded, and restored for the program."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from buntime._http import Request
from buntime._support.repetition import with_repetition
from buntime.cassette.body import event_bytes, map_outputs, serialize_events
from buntime.cassette.dialect import Dialect, dialect_of
from buntime.helpers.runner import source
from buntime.wire.constants import CALL_MARK
from buntime.wire.dialect import DIALECT
from tests.support.cases import in_one_test

STAGED = ".buntime/staged/" + 32 * "0"


def _request(op: str, carrying: dict[str, str] | None = None, **arguments: Any) -> dict[str, Any]:
    body: dict[str, Any] = {"sessionId": "ses_1", "code": source(op, **arguments), "timeout": 5}
    if carrying:
        body["files"] = [{"path": path, "content": content} for path, content in carrying.items()]
    return {"method": "POST", "path": "/execute", "json": body}


def _decoded(request: dict[str, Any]) -> dict[str, Any]:
    return DIALECT.decode_request(request)


def test_the_dialect_has_every_member_of_the_protocol() -> None:
    """The cassette imports it by name, so that no type checker compares them there."""
    dialect: Dialect = DIALECT
    assert dialect is dialect_of("/execute")


@pytest.mark.parametrize("number", ["", "~1"])
def test_files_of_an_upload_are_text_or_base64(number: str) -> None:
    """Without the name of the file that carried them, and other files stay."""
    content = [
        {"path": "a.txt", "base64": base64.b64encode(b"one\ntwo\n").decode(), "executable": None},
        {"path": "b.bin", "base64": "/wA=", "executable": True},
        {"path": "empty", "base64": None, "executable": None},
    ]
    staged = STAGED + number
    request = _request("file_unpack", {staged: json.dumps(content), "x": "y"}, path="to", staged=staged)
    assert {
        "sessionId": "ses_1",
        "helper": {
            "op": "file_unpack",
            "path": "to",
            "files": [
                {"path": "a.txt", "text": "one\ntwo\n", "executable": None},
                {"path": "b.bin", "base64": "/wA=", "executable": True},
                {"path": "empty", "base64": None, "executable": None},
            ],
        },
        "timeout": 5,
        "files": [{"path": "x", "content": "y"}],
    } == DIALECT.decode_request(request)["json"]


def test_the_size_of_a_piece_is_not_compared() -> None:
    """It may be another one in the next release; the offsets follow from what the session returned."""
    first, second = (
        DIALECT.decode_request(_request("file_range", path="a", offset=0, length=size))["json"]
        for size in (5, 6)
    )
    assert first == second
    assert {"op": "file_range", "path": "a", "offset": 0} == first["helper"]


def test_a_call_that_is_too_long_for_a_line_is_decoded_too() -> None:
    """Its arguments are in a file, or in several."""
    payload = json.dumps({"source": "(x) => x", "arguments": ["y" * 20]})
    names = [f".buntime/calls/{32 * '0'}~2.{part}" for part in range(2)]
    files = dict(zip(names, (payload[:10], payload[10:])))
    assert {"op": "call", "source": "(x) => x", "arguments": ["y" * 20]} == DIALECT.decode_request(
        _request("call", files, files=names)
    )["json"]["helper"]
    written_before = DIALECT.decode_request(_request("call", files=names))["json"]
    assert [name.replace("~2", "") for name in names] == written_before["helper"]["files"]


replies = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(
    op=st.sampled_from(["call", "file_range", "file_pack"]),
    reply=st.dictionaries(st.text() | st.sampled_from(["value", "text", "base64"]), replies, max_size=3)
    | st.fixed_dictionaries({"value": replies})
    | st.fixed_dictionaries({"base64": st.binary().map(lambda data: base64.b64encode(data).decode())})
    | st.fixed_dictionaries(
        {
            "contents": st.lists(
                st.none()
                | st.text().map(lambda text: base64.b64encode(text.encode("utf-8", "replace")).decode())
            )
        }
    ),
    printed=st.text() | st.just("\n"),
)
def test_any_reply_is_restored(op: str, reply: dict[str, Any], printed: str) -> None:
    """The client reads the same reply, and the same output before it."""
    request = _decoded(_request(op, path="a"))
    line = json.dumps(reply, ensure_ascii=False, separators=(",", ":"))
    before = printed if op == "call" else "\n"
    body = {"stdout": f"{before}{CALL_MARK if op == 'call' else ''}{line}\n", "exitCode": 0}
    assert body == DIALECT.encode_response(request, DIALECT.decode_response(request, body))


@in_one_test(
    "stdout",
    ["", "\n", "x", "[1]\n", '{"a":NaN}\n', '{"text":"a"}\n', f"{CALL_MARK}{{}}", '{"a":1'],
)
def test_other_output_stays_as_it_is(stdout: str) -> None:
    """Of a helper that was killed, for instance."""
    request = _decoded(_request("file_range", path="a"))
    assert {"stdout": stdout} == DIALECT.decode_response(request, {"stdout": stdout})


def test_a_ping_is_not_recorded() -> None:
    """Its number depends on time."""
    body = json.dumps({"sessionId": "ses_1", "code": source("ping")}, separators=(",", ":")).encode()
    assert DIALECT.unrecorded_response(Request("POST", "/execute", body=body)) is not None
    assert DIALECT.unrecorded_response(Request("POST", "/execute", body=b'{"code":"1"}')) is None
    assert (
        DIALECT.unrecorded_response(Request("POST", "/execute", body=b'{"code":"// buntime:helper {')) is None
    )


@in_one_test("text", ["one", "«streamed»", "\\«streamed»", "\\\\«streamed»"])
@in_one_test("last", ["onetwo", "", "«streamed»", "\\«streamed»", "two"])
def test_output_that_the_last_event_repeats_is_stored_once(text: str, last: str) -> None:
    """Replay restores it, whatever the output is."""
    pieces = [text, "two"]
    last = last.replace("one", text)
    sent = [
        *(("stdout", {"text": piece}) for piece in pieces),
        ("result", {"data": {"stdout": last}, "exitCode": 0}),
    ]
    chunks = [(1, event_bytes([1, *event])) for event in sent]
    events = serialize_events(chunks, b"", DIALECT)
    assert ("onetwo" in json.dumps(events)) is False
    restored = map_outputs(events[-1][2], {"stdout": pieces}, with_repetition)
    assert {"data": {"stdout": last}, "exitCode": 0} == restored


@given(
    pieces=st.lists(st.text("ab\n\\«é", min_size=1)),
    first=st.integers(0, 9999),
    last=st.integers(0, 9999),
    between=st.text("ab\n")
    | st.sampled_from(["«streamed»", "\n[... 9 bytes of output left out ...]\n", "«streamed:1»"]),
    before=st.sampled_from(["", "\\", "«streamed:1»", "\\«streamed:1»"]),
    after=st.sampled_from(["", "«streamed:-1»"]),
)
@example(["x"] * 2000, 700, 700, "\n[...]\n", "", "")
def test_any_part_of_the_output_in_the_last_event_is_restored(
    pieces: list[str], first: int, last: int, between: str, before: str, after: str
) -> None:
    """The first and the last characters, as of output that the service truncated, or texts like these."""
    joined = "".join(pieces)
    stdout = f"{before}{joined[:first]}{between}{joined[max(0, len(joined) - last) :]}{after}"
    sent = [*(("stdout", {"text": piece}) for piece in pieces), ("result", {"stdout": stdout})]
    events = serialize_events([(1, event_bytes([1, *event])) for event in sent], b"", DIALECT)
    outputs = {"stdout": pieces} if pieces else {}
    assert {"stdout": stdout} == map_outputs(events[-1][2], outputs, with_repetition)
