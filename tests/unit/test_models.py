"""The public values."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any

import attrs
import pytest

import buntime
from buntime import (
    APIResponse,
    ExecuteRequest,
    ExecuteResult,
    ExecutionFailedError,
    ExecutionTimeoutError,
    WriteResult,
)
from buntime.transport import Headers
from tests.support.cases import in_one_test
from tests.support.picklable_samples import VALUES, value_state

every_value = in_one_test("value", VALUES, ids=lambda value: type(value).__name__)


@every_value
def test_a_value_cannot_be_changed(value: Any) -> None:
    """All are frozen."""
    name = attrs.fields(type(value))[0].name
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(value, name, None)


@every_value
def test_a_value_survives_a_process_pool(value: Any) -> None:
    """It pickles and copies to an equal one, unknown fields included."""
    for other in (pickle.loads(pickle.dumps(value)), copy.copy(value), copy.deepcopy(value)):
        assert value_state(value) == value_state(other)


def test_every_public_value_is_tested() -> None:
    """A new class must be added to the samples."""
    public = {getattr(buntime, name) for name in buntime.__all__}
    assert {kind for kind in public if inspect.isclass(kind) and attrs.has(kind)} == set(map(type, VALUES))


def test_unknown_fields_are_not_compared() -> None:
    """Two results that differ in unknown fields only are equal."""
    assert WriteResult("a", 1) == WriteResult("a", 1, extra={"etag": "x"})


@in_one_test(
    ("exit_code", "timed_out", "ok"),
    [(0, None, True), (0, False, True), (0, True, False), (1, False, False), (None, None, False)],
)
def test_ok(exit_code: int | None, timed_out: bool | None, ok: bool) -> None:
    """Exit code 0 within the time limit is a success; an unknown exit code is not."""
    assert ok is ExecuteResult("", "", exit_code, timed_out=timed_out).ok


def test_check_returns_the_result() -> None:
    """Calls can be chained."""
    result = ExecuteResult("out", "", 0)
    assert result is result.check()


def test_check_shows_the_end_of_stderr() -> None:
    """The error is at the end of stderr; a long output does not flood the log."""
    result = ExecuteResult("", "x" * 5000 + "\nTypeError: boom\n", 2)
    with pytest.raises(ExecutionFailedError, match="exit code 2") as caught:
        result.check()
    assert "TypeError: boom" in str(caught.value)
    assert len(str(caught.value)) < 600
    assert result is caught.value.result


def test_check_reports_an_empty_stderr() -> None:
    """If the time limit was reached, the message shows how to raise it."""
    with pytest.raises(ExecutionTimeoutError, match=r"time limit; stderr is empty.*timeout="):
        ExecuteResult("", "", 124, timed_out=True).check()


def test_json() -> None:
    """It parses standard output."""
    assert {"a": [1]} == ExecuteResult('{"a": [1]}\n', "", 0).json()


@pytest.mark.parametrize("stdout", ["", "Sum: 15", "{} {}"])
def test_output_that_is_not_json(stdout: str) -> None:
    """The error shows the output."""
    with pytest.raises(ValueError, match="not JSON") as caught:
        ExecuteResult(stdout, "", 0).json()
    assert repr(stdout) in str(caught.value)


def test_an_api_response() -> None:
    """Headers are case-insensitive, and the body is available as bytes, text or JSON."""
    response = APIResponse(200, Headers({"Content-Type": "application/json"}), b'{"a": "\xc3\xa9"}')
    assert "application/json" == response.headers["content-type"]
    assert {"a": "é"} == response.json()
    assert '{"a": "é"}' == response.text
    assert "\ufffd" == APIResponse(200, {}, b"\xff").text
    with pytest.raises(ValueError):
        APIResponse(200, {}, b"<html>").json()


def test_a_request_shows_no_value_of_its_environment() -> None:
    """Names are shown because they help; values are often secrets."""
    value_state = repr(ExecuteRequest("1", env={"DB_PASSWORD": "hunter2", "A": "b"}))
    assert "hunter2" not in value_state
    assert "DB_PASSWORD" in value_state


def test_an_api_response_shows_its_size() -> None:
    """It does not show the bytes."""
    assert "<3 bytes>" in repr(APIResponse(200, {}, b"abc"))
