"""Values that helpers return, and errors of helpers."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buntime import (
    APIStatusError,
    Buntime,
    ConflictError,
    ExecuteResult,
    InvalidRequestError,
    InvalidResponseError,
    NotFoundError,
    ResourceLimitError,
    SessionFileNotFoundError,
)
from buntime.helpers.runner import parse_reply, source
from buntime.transport import FunctionTransport, Request, Response
from tests.support import responses
from tests.support.cases import in_one_test
from tests.support.results import result_or_error


def _reads(stdout: str) -> Buntime:
    """Return a client of a service without a read route, whose executions print this text."""

    def respond(request: Request) -> Response:
        if request.method == "GET":
            return responses.raw(b"", 404)
        return responses.as_json(responses.result(stdout=stdout, stderr="oh", exitCode=1))

    return Buntime(transport=FunctionTransport(respond))


@given(path=st.text())
def test_an_argument_cannot_inject_code(path: str) -> None:
    """For any argument, the first line is one line of JSON and the program follows it."""
    first, second, rest = source("read", path=path).split("\n", 2)
    assert {"op": "read", "path": path} == json.loads(first.removeprefix("// buntime:helper "))
    assert f"const helper = {first.removeprefix('// buntime:helper ')};" == second
    assert source("read", path="a.txt").split("\n", 2)[2] == rest
    assert first.isascii()


def test_the_value_is_the_last_line() -> None:
    """Earlier output of the session is ignored."""
    assert {"a": 1} == parse_reply(ExecuteResult('noise\n{"b": 2}\n{"a": 1}\n', "", 0))


@in_one_test("stdout", ["", "\n", "noise", '{"a": 1}\nnoise', "42", "[1]", "null", "[" * 100_000])
def test_a_missing_value(stdout: str) -> None:
    """The error shows the exit code and the end of stderr."""
    with pytest.raises(InvalidResponseError, match=r"exit code 1.*'oh'") as caught:
        _reads(stdout).files.read(session_id="ses_1", path="a.txt")
    assert len(str(caught.value)) < 1000
    assert "It could not be started, or was killed" in str(caught.value)


@in_one_test("value", [{}, {"content": 7}, {"error": "EISDIR"}, {"error": 7}])
def test_an_invalid_value(value: object) -> None:
    """The error shows its text."""
    with pytest.raises(InvalidResponseError, match="helper"):
        _reads(json.dumps(value)).files.read(session_id="ses_1", path="a.txt")


def _failed(code: str) -> str:
    return json.dumps({"error": {"code": code, "message": f"{code}: it is so"}})


@in_one_test(
    ("code", "kind", "error_code"),
    [
        ("ENOENT", SessionFileNotFoundError, "file_not_found"),
        ("EISDIR", InvalidRequestError, "invalid_request"),
        ("EOUTSIDE", InvalidRequestError, "invalid_request"),
        ("ENOTEMPTY", InvalidRequestError, "invalid_request"),
        ("ERR_ENCODING_INVALID_ENCODED_DATA", InvalidRequestError, "invalid_request"),
        ("E2BIG", InvalidRequestError, "invalid_request"),
        ("ESRCH", NotFoundError, "process_not_found"),
        ("ENOSPC", ResourceLimitError, "disk_full"),
        ("ECHANGED", ConflictError, "changed_meanwhile"),
        ("EWHATEVER", APIStatusError, "EWHATEVER"),
    ],
)
def test_an_error_of_a_helper(code: str, kind: type[APIStatusError], error_code: str) -> None:
    """It is the error that the service would return, with the same attributes."""
    with pytest.raises(kind) as caught:
        _reads(_failed(code)).files.read(session_id="ses_1", path="a.txt")
    error = caught.value
    assert kind is type(error)
    assert (error_code, {"errno": code, "path": "a.txt"}) == (error.code, error.details)
    assert ("POST /execute", 1) == (error.call, error.attempts)


def test_a_missing_file() -> None:
    """It is a FileNotFoundError with the path."""
    with pytest.raises(FileNotFoundError) as caught:
        _reads(_failed("ENOENT")).files.read(session_id="ses_1", path="a.txt")
    assert "a.txt" == caught.value.filename


@given(
    stdout=st.text()
    | st.recursive(
        st.none() | st.text() | st.integers(),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(st.sampled_from(["content", "error", "message"]), inner, max_size=3)
        ),
    ).map(json.dumps)
)
def test_any_output_is_decoded(stdout: str) -> None:
    """Any output is a text or a BuntimeError."""
    assert isinstance(
        result_or_error(lambda: _reads(stdout).files.read(session_id="ses_1", path="a.txt")), str
    )
