"""Errors as users catch, read and pickle them."""

from __future__ import annotations

import copy
import errno
import pickle
import subprocess
import sys
from typing import Any

import pytest

import buntime
from buntime import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    Buntime,
    BuntimeError,
    InvalidResponseError,
    NotFoundError,
    SessionFileNotFoundError,
    errors,
)
from buntime.transport import FunctionTransport, Response
from tests.support import responses
from tests.support.cases import in_one_test
from tests.support.picklable_samples import CLASSES, all_errors, error_state, make_error
from tests.support.scripted import ScriptedTransport, always

every_class = in_one_test("kind", CLASSES, ids=lambda kind: kind.__name__)
every_error = in_one_test("error", all_errors(), ids=lambda error: type(error).__name__)


@every_error
@in_one_test("how", ["pickle", "copy", "deepcopy"])
def test_an_error_survives_with_all_attributes(error: BuntimeError, how: str) -> None:
    """Every attribute, its notes and the message, as a process pool needs it; a user's subclasses too."""
    ways = {"pickle": lambda e: pickle.loads(pickle.dumps(e)), "copy": copy.copy, "deepcopy": copy.deepcopy}
    other = ways[how](error)
    assert error_state(error) == error_state(other)
    if isinstance(error, FileNotFoundError):
        assert errno.ENOENT == other.errno


@every_class
def test_a_message_has_the_event_and_the_call(kind: type[BuntimeError]) -> None:
    """It has the number of attempts, whether the request may have been executed, and the next step."""
    text = str(make_error(kind))
    assert text.startswith("POST /execute: it failed (after 2 attempts)")
    assert " [the service may have acted on it]" in text
    assert text.endswith(kind.hint)


@every_class
def test_an_error_is_public(kind: type[BuntimeError]) -> None:
    """Every error can be imported by name."""
    assert getattr(buntime, kind.__name__) is kind


@every_class
def test_the_tree_shows_the_class(kind: type[BuntimeError]) -> None:
    """The drawing in the docstring has every class."""
    assert f" {kind.__name__} " in f" {' '.join((errors.__doc__ or '').split())} "


@every_class
def test_an_error_of_the_service_has_a_hint(kind: type[BuntimeError]) -> None:
    """The hint explains the next step."""
    if issubclass(kind, (APIConnectionError, InvalidResponseError, APIStatusError)):
        assert kind.hint


def test_a_plain_error_is_its_message() -> None:
    """Without a request there is nothing to add."""
    assert "no key" == str(buntime.ConfigurationError("no key"))


@pytest.mark.parametrize(("attempts", "text"), [(1, "it failed"), (2, "it failed (after 2 attempts)")])
def test_attempts_are_named_after_a_retry(attempts: int, text: str) -> None:
    """A single attempt needs no mention."""
    error = BuntimeError("it failed")
    error.attempts = attempts
    assert text == str(error)


@in_one_test(("phase", "maybe"), [("connect", False), ("send", True), ("read", True)])
@in_one_test("kind", [APIConnectionError, APITimeoutError])
def test_a_failed_connection_executed_nothing(kind: Any, phase: str, maybe: bool) -> None:
    """After any other failure, the request may have been executed."""
    assert maybe is kind("lost", phase=phase).maybe_executed


def test_a_missing_file_is_caught_by_builtin_classes() -> None:
    """FileNotFoundError, OSError and our own classes catch it."""
    for kind in (FileNotFoundError, OSError, SessionFileNotFoundError, NotFoundError, BuntimeError):
        client = Buntime(transport=ScriptedTransport(always(responses.error, 404, "file_not_found")))
        with pytest.raises(kind) as caught:
            client.files.read(session_id="ses_1", path="a.txt")
        assert "a.txt" in str(caught.value) or "file_not_found" in str(caught.value)


_POOL = """
import multiprocessing, sys
from concurrent.futures import ProcessPoolExecutor
from buntime import Buntime, SessionFileNotFoundError
from buntime.transport import FunctionTransport, Response

def fail(path):
    body = b'{"error": {"code": "file_not_found", "message": "no", "details": {"a": 1}}}'
    client = Buntime("btk_secret", transport=FunctionTransport(lambda request: Response(404, (), [body])))
    client.files.read(session_id="ses_1", path=path)

if __name__ == "__main__":
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            pool.submit(fail, "a.txt").result()
        except SessionFileNotFoundError as error:
            print(error.filename, error.code, error.status, error.details, error.attempts, error.call)
"""


def test_an_error_crosses_a_process_pool(tmp_path: Any) -> None:
    """It has the same class and attributes there."""
    script = tmp_path / "pool.py"
    script.write_text(_POOL)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    assert "a.txt file_not_found 404 {'a': 1} 1 GET /files/read\n" == done.stdout


def test_name_and_headers_of_an_api_error() -> None:
    """An error of a request has the official name of its class and the headers without credentials."""
    headers = [("X-Request-Id", "req_1"), ("Set-Cookie", "session=secret"), ("X-Echo", "key-of-the-client")]
    transport = FunctionTransport(lambda _: Response(422, headers, [b'{"message": "no such size"}']))
    with (
        Buntime("key-of-the-client", transport=transport) as client,
        pytest.raises(buntime.APIError) as caught,
    ):
        client.sessions.create()

    error = pickle.loads(pickle.dumps(caught.value))
    assert ("UnprocessableEntityError", 422) == (error.name, error.status)
    assert {"X-Request-Id": "req_1", "X-Echo": "[hidden]"} == dict(error.headers)
    assert isinstance(error, buntime.UnprocessableEntityError)


def test_headers_of_an_invalid_response() -> None:
    """An error about the body of a response has its headers; one without a response has none."""
    page = FunctionTransport(lambda _: Response(200, [("Server", "proxy")], [b"<html>"]))
    with Buntime("k", transport=page) as client, pytest.raises(InvalidResponseError) as caught:
        client.sessions.create()
    assert ("proxy", "APIResponseValidationError") == (caught.value.headers["Server"], caught.value.name)
    assert ({}, "APITimeoutError") == (dict(APITimeoutError("late").headers), APITimeoutError("late").name)
