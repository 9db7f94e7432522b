"""A program written for another library got a bare AttributeError, or waited for eight hours."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
import traceback
from typing import Any, Callable, cast
from unittest import mock

import pytest

from buntime import (
    Buntime,
    ConfigurationError,
    ExecuteRequest,
    Files,
    Session,
    SessionFiles,
    SessionPool,
    Sessions,
)
from buntime._support.other_names import _ARGUMENTS
from buntime.client.other_names import METHODS
from buntime.models import ExecuteOptions
from buntime.runloop import RunloopSDK
from buntime.transport import FakeTransport, HTTPTransport
from tests.support.cases import in_one_test


@pytest.fixture
def client() -> Any:
    """Return a client; typed as ``Any``, because the type checkers reject what is tried here."""
    return Buntime(transport=FakeTransport())


@pytest.mark.parametrize(
    ("name", "ours"),
    [("run", r"execute\(code\)"), ("exec", r"execute\(code\) or execute\(command="), ("filesystem", "files")],
)
def test_an_attribute_names_ours(client: Any, name: str, ours: str) -> None:
    """Clients and sessions have no such attribute, and the error shows what to write."""
    for instance in (client, client.sessions.attach("ses_1")):
        assert not hasattr(instance, name)
        with pytest.raises(AttributeError, match=rf"has no attribute '{name}'; use {ours}"):
            getattr(instance, name)


def test_our_names_exist() -> None:
    """Each hint begins with an attribute of the class, and no key is one."""
    for kind in (Session, Buntime):
        for name, ours in METHODS[kind.__name__].items():
            first = ours.partition("(")[0].partition(".")[0].partition(" ")[0]
            assert hasattr(kind, first), ours
            assert not hasattr(kind, name)


def test_an_argument_names_ours(client: Any) -> None:
    """An unknown argument of an execution is a TypeError that names the call, and ours."""
    session = client.sessions.attach("ses_1")
    ways: list[tuple[Callable[..., object], str, str, str]] = [
        (session.execute, "Session.execute", "cwd", "; use working_dir"),
        (session.stream, "Session.stream", "workingdir", "; use working_dir"),
        (client.execute, "Buntime.execute", "sessionId", "; use session_id"),
        (client.stream, "Buntime.stream", "sesion_id", "; use session_id"),
        (session.execute, "Session.execute", "onStdout", "; use on_stdout"),
        (session.stream, "Session.stream", "on_stdout", ""),
        (session.execute, "Session.execute", "session_id", ""),
        (session.execute, "Session.execute", "unknown", ""),
        (client.with_options, "with_options", "maxRetries", "; use max_retries"),
        (client.with_options, "with_options", "api_key", ""),
    ]
    for method, call, name, hint in ways:
        message = f"{call}() got an unexpected keyword argument {name!r}{hint}"
        with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
            method(**{name: "x"})
    assert [] == client._context.caller.transport.calls
    assert not (set(_ARGUMENTS) - {"timeout"}) & set(ExecuteOptions.__annotations__)


def test_arguments_of_other_calls_name_ours(client: Any) -> None:
    """Nothing is sent, and an argument that the call does not have in any form has no hint."""
    session = client.sessions.attach("ses_1")
    ways: list[tuple[Callable[..., object], tuple[object, ...], str, str]] = [
        (client.sessions.create, (), "timeout", "; use ttl, in seconds"),
        (client.sessions.create, (), "resourceLimits", "; use resource_limits"),
        (client.kill, (), "sessionId", "; use session_id"),
        (client.request, ("GET", "/"), "query", "; use params"),
        (client.files.read, (), "sessionId", "; use session_id"),
        (session.start, ("1",), "cwd", "; use working_dir"),
        (session.start, ("1",), "timeout", ""),
        (session.execute, ("1",), "timeoutMs", "; use timeout, in seconds"),
        (session.call, ("() => 1",), "timeoutMs", "; use timeout, in seconds"),
        (session.call, ("() => 1",), "env", ""),
        (session.wait_for_port, (80,), "timeout_ms", "; use timeout, in seconds"),
        (session.files.upload, ("a", "b"), "exclude", "; use ignore"),
        (session.files.list, (), "maxDepth", ""),
    ]
    for call, arguments, name, hint in ways:
        with pytest.raises(TypeError, match=f"unexpected keyword argument '{name}'{hint}$"):
            call(*arguments, **{name: 30000})
    assert [] == client._context.caller.transport.calls


def test_arguments_of_constructors_name_ours(client: Any) -> None:
    """No traceback with local variables shows a key; a subclass may have other arguments."""
    ways: list[tuple[Callable[..., object], dict[str, object], str]] = [
        (Buntime, {"apiKey": "btk_canary"}, "'apiKey'; use api_key"),
        (Buntime, {"api_key": "btk_canary", "timeoutMs": 5}, "'timeoutMs'; use timeout, in seconds"),
        (ExecuteRequest, {"command": "ls", "cwd": "x", "env": {"A": "btk_canary"}}, "'cwd'; use working_dir"),
        (SessionPool, {"client": client, "max_workers": 4}, "'max_workers'; use size"),
        (SessionPool, {"client": client, "unknown": 4}, "'unknown'"),
        (RunloopSDK, {"bearer_token": "btk_canary", "baseUrl": "x"}, "'baseUrl'; use base_url"),
    ]
    for kind, arguments, hint in ways:
        with pytest.raises(TypeError, match=f"unexpected keyword argument {hint}$") as caught:
            kind(**arguments)
        for frame, _ in traceback.walk_tb(caught.tb.tb_next):
            assert "btk_canary" not in str(frame.f_locals)

    class OfTenant(Buntime):
        def __init__(self, tenant: str) -> None:
            super().__init__(transport=FakeTransport(), headers={"X-Tenant": tenant})

    OfTenant(tenant="a").close()
    assert "api_key" in inspect.signature(Buntime).parameters
    assert "self" not in inspect.signature(SessionPool).parameters
    assert ["code", "command"] == list(inspect.signature(ExecuteRequest).parameters)[:2]


def test_decorated_methods_keep_their_signatures() -> None:
    """Editors and ``help`` show the arguments."""
    for kind in (Buntime, Files, Session, SessionFiles, SessionPool, Sessions):
        for name, method in inspect.getmembers(kind, inspect.isfunction):
            assert (
                name.startswith("_") or "args" not in inspect.signature(method).parameters or name == "call"
            )


def test_an_unknown_attribute_is_the_usual_error(client: Any) -> None:
    """A misspelled name, and a property that fails, raise what they always raised."""
    session = client.sessions.attach("ses_1")
    with pytest.raises(AttributeError, match=r"^'Session' object has no attribute 'exeecute'$"):
        session.exeecute("1")
    with pytest.raises(AttributeError, match="'Session' object has no attribute '_created'"):
        Session.__new__(Session).id  # noqa: B018 - the property is the test


def test_copies_and_pickles_are_the_same() -> None:
    """The lookups of copy, pickle and mock find nothing new."""
    with Buntime("key", transport=HTTPTransport("http://127.0.0.1:1")) as client:
        session = client.sessions.attach("ses_1")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("BUNTIME_API_KEY", "key")
            assert "ses_1" == copy.copy(session).id == copy.deepcopy(session).id
            assert "ses_1" == pickle.loads(pickle.dumps(session)).id
        assert not hasattr(mock.create_autospec(session), "run")


@in_one_test(
    ("call", "message"),
    [
        (
            lambda c: c.execute("ses_1", "1"),
            "Buntime.execute() takes 1 positional argument, not 2; pass by name: ",
        ),
        (
            lambda c: c.stream("ses_1", "1"),
            "Buntime.stream() takes 1 positional argument, not 2; pass by name: ",
        ),
        (
            lambda c: c.files.read("ses_1", "a"),
            "takes 0 positional arguments, not 2; pass by name: session_id=",
        ),
        (
            lambda c: c.sessions.attach("ses_1").execute("1", 5),
            "Session.execute() takes 1 positional argument",
        ),
        (lambda c: c.sessions.attach("ses_1").stream("1", 5), "Session.stream() takes 1 positional argument"),
        (
            lambda c: c.sessions.attach("ses_1").start("1", 5),
            "pass by name: command=, env=, working_dir=, stdin=",
        ),
        (lambda c: c.sessions.delete("ses_1", "ses_2"), "takes 1 positional argument, not 2"),
        (
            lambda _: cast("Any", Buntime)("btk_canary", "https://api"),
            "Buntime() takes 1 positional argument, not 2",
        ),
        (
            lambda _: cast("Any", RunloopSDK)("btk_canary"),
            "RunloopSDK() takes 0 positional arguments, not 1; pass by name: bearer_token=, base_url=,",
        ),
    ],
)
def test_too_many_positional_arguments(client: Any, call: Any, message: str) -> None:
    """The error names the arguments to pass by name, and its traceback shows no key."""
    with pytest.raises(TypeError, match=re.escape(message)) as caught:
        call(client)
    assert all("btk_canary" not in str(frame.f_locals) for frame, _ in traceback.walk_tb(caught.tb))


def test_the_error_after_the_end_of_a_client() -> None:
    """It names the call, and what to do."""
    with Buntime(transport=FakeTransport()) as client:
        session = client.sessions.create()
    with pytest.raises(
        RuntimeError, match=r"^POST /execute: the transport is closed, .* create a new client$"
    ):
        session.execute("1")


def test_a_timeout_in_milliseconds() -> None:
    """More than an hour is an error that asks whether milliseconds were meant."""
    message = r"is 30000 seconds.*mean 30000 milliseconds, pass timeout=30$"
    with pytest.raises(ConfigurationError, match=message):
        Buntime(transport=FakeTransport(), timeout=30000)
    with Buntime(transport=FakeTransport(), timeout=3600) as client:
        with pytest.raises(ConfigurationError, match=message):
            client.with_options(timeout=30000)
        session = client.sessions.create()
        with pytest.raises(ValueError, match=message):
            session.execute("1", timeout=30000)
        with pytest.raises(ValueError, match="milliseconds"):
            session.call("() => 1", timeout=5000)
    assert 3600 == ExecuteRequest("1", timeout=3600).timeout
