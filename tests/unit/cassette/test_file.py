"""Loading, saving and comparing cassette files."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buntime import CassetteError
from buntime._support.json_text import LINES, parse, render
from buntime.cassette.diff import compare
from buntime.cassette.file import VERSION, Cassette, Interaction, load, save
from tests.support.cases import in_one_test

REQUEST = {"method": "POST", "path": "/execute", "json": {"sessionId": "ses_1", "code": "1\n2"}}
RESPONSE = {"status": 200, "headers": {"Content-Type": "application/json"}, "json": {"stdout": "1\n"}}


def cassette(*interactions: dict[str, Any]) -> Cassette:
    """Return a cassette dated 2020."""
    return Cassette(VERSION, date(2020, 2, 20), tuple(map(Interaction, interactions)))


def written(path: Path, text: str) -> Path:
    """Write the text and return its path."""
    path.write_text(text, encoding="utf-8")
    return path


def test_a_saved_cassette_is_loaded_as_it_was(tmp_path: Path) -> None:
    """Version, date and interactions are equal."""
    original = cassette(
        {"request": REQUEST, "response": RESPONSE}, {"request": REQUEST, "error": _error("timeout")}
    )
    save(tmp_path / "x.json", original)
    assert original == load(tmp_path / "x.json")


def _error(kind: str) -> dict[str, str]:
    return {"kind": kind, "phase": "read", "message": "it was lost"}


def test_the_file_is_readable(tmp_path: Path) -> None:
    """Indented JSON in UTF-8, a text of several lines as a list of lines, a short list on one line."""
    response = {**RESPONSE, "json": {"stdout": "é «»\n", "pids": [1, 2]}}
    save(tmp_path / "x.json", cassette({"request": REQUEST, "response": response}))
    assert """{
  "buntime_cassette": 2,
  "changed": "2020-02-20",
  "interactions": [
    {
      "request": {
        "method": "POST",
        "path": "/execute",
        "json": {
          "sessionId": "ses_1",
          "code": {"«lines»": [
            "1",
            "2"
          ]}
        }
      },
      "response": {
        "status": 200,
        "headers": {
          "Content-Type": "application/json"
        },
        "json": {
          "stdout": "é «»\\n",
          "pids": [1, 2]
        }
      }
    }
  ]
}
""" == (tmp_path / "x.json").read_text(encoding="utf-8")


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters() | st.sampled_from("\n\r\ud800«»\\"))
    | st.sampled_from(["a\nb", LINES]),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.text() | st.sampled_from([LINES, "\\" + LINES, "\\\\" + LINES]), inner, max_size=2
        )
    ),
)


@given(values)
def test_any_json_is_loaded_as_it_was_saved(value: Any) -> None:
    """Texts of any kind, those that resemble our own markers, numbers, nesting."""
    text = render(value)
    assert value == parse(text)
    assert json.loads(text) is not None or value is None
    text.encode()


@in_one_test(
    ("text", "message"),
    [
        ('{\n  "buntime_cassette": 1,\n  "changed" "2020-02-20"\n}', r"line 3, column 13: "),
        ("", r"line 1, column 1: "),
        (
            '{\n  "buntime_cassette": 1,\n<<<<<<< HEAD\n  "changed": "2020-02-20"',
            r"line 3, column 1: a merge conflict",
        ),
        ("[]", "it has no 'buntime_cassette'"),
        ("{}", "it has no 'buntime_cassette'"),
        ('{"buntime_cassette": 3}', "has the format 3; this release reads 1 and 2"),
        ('{"buntime_cassette": 1, "interactions": []}', "'changed'"),
        ('{"buntime_cassette": 1, "changed": "soon", "interactions": []}', "'changed'"),
        ('{"buntime_cassette": 1, "changed": "2020-02-20", "interactions": {}}', "'interactions'"),
        ('{"buntime_cassette": 1, "changed": {"«lines»": [1]}}', "not a list of lines"),
    ],
)
def test_the_error_for_an_invalid_file_has_the_reason(tmp_path: Path, text: str, message: str) -> None:
    """Line and column of a JSON syntax error, and the action to take."""
    path = written(tmp_path / "bad.json", text)
    with pytest.raises(CassetteError, match=message) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert "ecord it again" in str(caught.value)


@in_one_test(
    "data",
    [
        1,
        {},
        {"request": REQUEST},
        {"response": RESPONSE},
        {"request": {"method": "GET"}, "response": RESPONSE},
        {"request": {**REQUEST, "query": [["a"]]}, "response": RESPONSE},
        {"request": REQUEST, "response": {"headers": {}}},
        {"request": REQUEST, "response": {"status": 200, "headers": {"A": 1}}},
        {"request": REQUEST, "response": {"status": 200, "events": [[1]]}},
        {"request": REQUEST, "response": {"status": 200, "events": [["1", "stdout", {}]]}},
        {"request": REQUEST, "error": {"kind": "other", "phase": "read", "message": ""}},
        {"request": REQUEST, "error": {"kind": "timeout", "phase": "soon", "message": ""}},
    ],
)
def test_an_invalid_interaction_is_numbered(tmp_path: Path, data: Any) -> None:
    """The error for a file edited by hand has the number of the interaction."""
    text = json.dumps(
        {
            "buntime_cassette": 1,
            "changed": "2020-02-20",
            "interactions": [{"request": REQUEST, "response": RESPONSE}, data],
        }
    )
    with pytest.raises(CassetteError, match="interaction 2 does not have the form of one"):
        load(written(tmp_path / "bad.json", text))


def test_the_error_for_invalid_utf8_has_the_position(tmp_path: Path) -> None:
    """It has line and column of the first byte that is not UTF-8."""
    (tmp_path / "bad.json").write_bytes(b'{\n  "a": "\xff"}')
    with pytest.raises(CassetteError, match="line 2, column 9: it is not UTF-8"):
        load(tmp_path / "bad.json")


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    """A folder is an error too."""
    with pytest.raises(CassetteError, match=r"none\.json does not exist\. Check the path; to record it"):
        load(tmp_path / "none.json")
    with pytest.raises(CassetteError, match="cannot be read"):
        load(tmp_path)


def test_comparing_shows_the_changes_of_a_recording() -> None:
    """As the lines of a unified diff; values that vary from run to run are ignored."""
    old = cassette(
        {"request": REQUEST, "response": {**RESPONSE, "json": {"stdout": "1\n", "executionTime": 5}}}
    )
    new = cassette(
        {"request": REQUEST, "response": {**RESPONSE, "json": {"stdout": "1\n", "executionTime": 9}}}
    )
    assert [] == compare(old, new)
    new = cassette(
        {"request": REQUEST, "response": {**RESPONSE, "json": {"stdout": "2\n", "executionTime": 9}}}
    )
    lines = compare(old, new)
    assert ["--- recorded", "+++ now"] == lines[:2]
    assert '-        "stdout": "1\\n",' in lines
    assert '+        "stdout": "2\\n",' in lines
    assert not [line for line in lines if line[0] in "+-" and "executionTime" in line]


def test_comparing_streams() -> None:
    """Times and measurements are ignored there too, also if the output arrived in other pieces."""

    def streamed(*texts: str, at: int) -> Cassette:
        events = [[at, "stdout", {"text": text}] for text in texts]
        end = [at, "result", {"exitCode": 0, "cpuTime": at}]
        headers = {"Retry-After": str(at), "Content-Type": "text/event-stream"}
        return cassette(
            {"request": REQUEST, "response": {"status": 200, "headers": headers, "events": [*events, end]}}
        )

    old = streamed("a", "b", at=1)
    assert [] == compare(old, streamed("a", "b", at=2))
    assert [] == compare(old, streamed("ab", at=2))
    lines = compare(old, streamed("a", "c", at=2))
    changed = [line for line in lines[2:] if line[0] in "+-"]
    assert ['-        [1, "stdout", {"text": "b"}],', '+        [1, "stdout", {"text": "c"}],'] == changed
    text = "\n".join(compare(old, streamed("ac", at=2)))
    assert '"text": "ac"' in text
    assert '"cpuTime": 2' not in text
    assert '"Retry-After": "2"' not in text


def test_large_texts_are_not_split_into_lines(tmp_path: Path) -> None:
    """A margin for each line could double the file; the text is loaded as it was."""
    piece = "a line\n" * 20_000
    events = [[number, "stdout", {"text": piece}] for number in range(10)]
    original = cassette({"request": REQUEST, "response": {"status": 200, "headers": {}, "events": events}})
    save(tmp_path / "x.json", original)
    assert original == load(tmp_path / "x.json")
    assert (tmp_path / "x.json").stat().st_size < 1.2 * 10 * len(piece)
