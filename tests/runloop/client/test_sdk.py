"""The clients: settings, options of a call, middleware, logging, names."""

from __future__ import annotations

import json
import logging
import pickle
from collections.abc import Callable
from typing import Any

import attrs
import pytest

import buntime
from buntime import errors
from buntime.errors import APIConnectionError, APIError, ConfigurationError, InvalidResponseError
from buntime.runloop import (
    BadRequestError,
    DevboxView,
    InternalServerError,
    Runloop,
    RunloopError,
    RunloopSDK,
)
from buntime.transport import FakeTransport, HTTPTransport, LocalTransport, Request, Response
from tests.runloop.client.stub import Stub, as_json
from tests.support.loopback import LoopbackServer, json_reply


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run without the variables of the machine."""
    for name in ("API_KEY", "BASE_URL", "TRANSPORT", "LOG"):
        monkeypatch.delenv(f"RUNLOOP_{name}", raising=False)


def test_settings_come_from_the_variables_of_runloop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Key and address are those of Runloop, not of buntime.sh; arguments replace them."""
    monkeypatch.setenv("BUNTIME_API_KEY", "key-of-buntime")
    monkeypatch.setenv("BUNTIME_TRANSPORT", "local")
    with LoopbackServer(json_reply({"id": "dbx_1", "status": "running"})) as server:
        monkeypatch.setenv("RUNLOOP_API_KEY", "rk-of-the-environment")
        monkeypatch.setenv("RUNLOOP_BASE_URL", server.url)
        with RunloopSDK() as runloop:
            runloop.devbox.from_id("dbx_1").get_info()
        with Runloop(bearer_token="rk-of-the-argument", base_url=server.url) as client:
            client.devboxes.retrieve("dbx_1")
    sent = [request.headers["Authorization"] for request in server.requests]
    assert ["Bearer rk-of-the-environment", "Bearer rk-of-the-argument"] == sent
    assert "/v1/devboxes/dbx_1" == server.requests[0].target


def test_transport_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """``RUNLOOP_TRANSPORT`` has the grammar of ``BUNTIME_TRANSPORT``, and errors name it."""
    monkeypatch.setenv("RUNLOOP_TRANSPORT", "local")
    with RunloopSDK() as runloop:
        assert isinstance(runloop._connection.caller.transport, LocalTransport)
    monkeypatch.setenv("RUNLOOP_TRANSPORT", "cloud")
    with pytest.raises(ConfigurationError, match="RUNLOOP_TRANSPORT is 'cloud'"):
        RunloopSDK()


def test_missing_key_is_reported_by_the_first_call() -> None:
    """A client can be made without a key; its first call names the variable and the argument."""
    with RunloopSDK() as runloop, pytest.raises(ConfigurationError) as caught:
        runloop.devbox.create()
    assert "set RUNLOOP_API_KEY or pass bearer_token=" in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bearer_token": "a b"}, "bearer_token contains characters"),
        ({"bearer_token": 7}, "bearer_token must be a str"),
        ({"timeout": "60"}, "timeout"),
        ({"max_retries": -1}, "max_retries"),
        ({"default_headers": {"A b": "c"}}, "A b"),
        ({"repeat_execute": "no"}, "repeat_execute must be a bool"),
        ({"transport": FakeTransport}, "pass FakeTransport"),
        ({"base_url": "ftp://x"}, "base_url"),
    ],
)
def test_wrong_settings(options: dict[str, Any], message: str) -> None:
    """A wrong setting is a ConfigurationError with its name."""
    with pytest.raises((ConfigurationError, TypeError), match=message):
        RunloopSDK(**options)


def test_options_of_a_call() -> None:
    """Headers, parameters and fields are added to one call, and replace those of the client."""
    stub = Stub()
    with stub.client(default_headers={"X-Team": "a", "X-Other": "o"}) as runloop:
        devbox = runloop.devbox.create(
            name="n",
            extra_headers={"x-team": "b"},
            extra_query={"dry": True},
            extra_body={"new_field": [1]},
            idempotency_key="k1",
        )
        devbox.get_info()
    first, second = stub.requests
    assert {"name": "n", "new_field": [1]} == json.loads(first.content)
    assert (("dry", "true"),) == first.query
    headers = {name.lower(): value for name, value in first.headers}
    assert ("b", "o", "k1") == (headers["x-team"], headers["x-other"], headers["x-request-id"])
    assert "a" == dict(second.headers)["X-Team"]


def test_timeout_of_a_call() -> None:
    """``timeout=`` is one deadline for all attempts of a call."""
    stub = Stub(*[500] * 50)
    with stub.client(max_retries=49, retry_delay=30) as runloop, pytest.raises(APIError):
        runloop.devbox.from_id("dbx_1").get_info(timeout=20)
    assert stub.now <= 20
    assert len(stub.requests) < 50
    with stub.client() as runloop, pytest.raises(ConfigurationError, match="timeout"):
        runloop.devbox.from_id("dbx_1").get_info(timeout=-1)


def test_middleware_sees_and_alters_everything() -> None:
    """``middleware=`` gets each request with its credentials, and its response is that of the call."""
    credentials: list[str] = []

    def middleware(request: Request, send: Callable[[Request], Response]) -> Response:
        credentials.append(dict(request.headers)["Authorization"])
        if request.method == "GET":
            return as_json({"id": "dbx_1", "status": "from the middleware"})
        return send(attrs.evolve(request, headers=(*request.headers, ("X-Trace", "1"))))

    stub = Stub(500)
    with stub.client(middleware=middleware, retry_delay=0) as runloop:
        devbox = runloop.devbox.create()
        assert "from the middleware" == devbox.get_info().status
    assert ["Bearer rk_of_the_tests"] * 3 == credentials
    assert "1" == dict(stub.requests[0].headers)["X-Trace"]


def test_middleware_of_another_transport() -> None:
    """A client with another transport has the middleware of the first one."""
    paths: list[str] = []

    def middleware(request: Request, send: Callable[[Request], Response]) -> Response:
        paths.append(request.path)
        return send(request)

    first, second = Stub(), Stub()
    with first.client(middleware=middleware) as runloop, runloop.with_options(transport=second) as other:
        other.devbox.from_id("dbx_1").get_info()
    assert ([], ["/v1/devboxes/dbx_1"]) == (first.requests, paths)


def test_with_options() -> None:
    """A client with other options shares the transport; one with another transport closes that one."""
    first, second = Stub(), Stub()
    closed: list[str] = []
    second.close = lambda: closed.append("second")  # type: ignore[method-assign]  # to see the call
    first.close = lambda: closed.append("first")  # type: ignore[method-assign]  # to see the call
    runloop = first.client()
    with runloop.with_options(max_retries=0, default_headers={"X-A": "b"}) as other:
        other.devbox.from_id("dbx_1").get_info()
    assert "b" == dict(first.requests[0].headers)["X-A"]
    with runloop.with_options(transport=second) as other:
        other.devbox.from_id("dbx_1").get_info()
    assert (["second"], 1) == (closed, len(second.requests))
    runloop.close()
    assert ["second", "first"] == closed
    with pytest.raises(TypeError, match="unexpected keyword argument 'retries'"):
        runloop.with_options(retries=1)


def test_errors_by_their_official_names() -> None:
    """The official names are our classes, on the module and on the clients."""
    assert BadRequestError is errors.InvalidRequestError
    assert InternalServerError is errors.ServerError
    assert RunloopError is buntime.BuntimeError
    assert (APIError, APIConnectionError) == (RunloopSDK.APIError, Runloop.APIConnectionError)
    with Stub(400).client() as runloop, pytest.raises(RunloopSDK.APIError) as caught:
        runloop.devbox.create()
    error: Any = caught.value
    assert ("BadRequestError", 400, 400) == (error.name, error.status, error.status_code)
    copy = pickle.loads(pickle.dumps(error))
    assert (str(error), "application/json") == (str(copy), copy.headers["Content-Type"])


@pytest.mark.parametrize(
    "body",
    [
        {"message": "the reason", "code": "c"},
        {"error": "the reason"},
        {"detail": "the reason"},
        {"error": {"message": "the reason"}},
    ],
)
def test_forms_of_an_error(body: dict[str, Any]) -> None:
    """An error body of any form has its message."""
    with Stub(as_json(body, 422)).client() as runloop, pytest.raises(APIError, match="the reason"):
        runloop.devbox.create()


@pytest.mark.parametrize(
    "content",
    [b"<html>", b"", b"[]", b'{"status": "running"}', b'{"id": "", "status": "running"}', b'{"id": ".."}'],
)
def test_responses_that_are_not_the_api(content: bytes) -> None:
    """A body that is no devbox is an InvalidResponseError, which has the headers."""
    stub = Stub(Response(200, {"Server": "proxy"}, [content]))
    with stub.client() as runloop, pytest.raises(InvalidResponseError) as caught:
        runloop.devbox.from_id("dbx_1").get_info()
    assert "proxy" == caught.value.headers["Server"]


def test_views() -> None:
    """A view has known and unknown fields as attributes, any status, and pickles; secrets are hidden."""
    body = {
        "id": "dbx_1",
        "status": "melting",
        "name": None,
        "new": {"a": 1},
        "launch_parameters": {"keep_alive_time_seconds": 60},
        "tunnel": {"tunnel_key": "k", "auth_token": "token-of-the-tunnel"},
    }
    with Stub(as_json(body)).client() as runloop:
        view = runloop.devbox.from_id("dbx_1").get_info()
    assert isinstance(view, DevboxView)
    assert ("melting", None, {"a": 1}, {"new": {"a": 1}}) == (view.status, view.name, view.new, view.extra)
    assert view.launch_parameters is not None
    assert 60 == view.launch_parameters.keep_alive_time_seconds
    with pytest.raises(AttributeError, match="'DevboxView' object has no attribute 'other'"):
        _ = view.other
    assert "token-of-the-tunnel" not in repr(view)
    assert view == pickle.loads(pickle.dumps(view))
    expected = {name: value for name, value in body.items() if value is not None}
    assert expected.items() <= view.model_dump().items()
    assert view.to_dict() == view.model_dump()


def test_log(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The log has each request and each retry, and no credential."""
    caplog.set_level(logging.DEBUG, "buntime")
    with Stub(500).client() as runloop:
        runloop.devbox.from_id("dbx_1").get_info()
    assert "GET /v1/devboxes/dbx_1: 500 in" in caplog.text
    assert "attempt 2 of 4" in caplog.text
    assert "rk_of_the_tests" not in caplog.text
    monkeypatch.setenv("RUNLOOP_LOG", "loud")
    with pytest.raises(ConfigurationError, match="RUNLOOP_LOG is 'loud'"):
        Stub().client()


def test_clients_and_devboxes_do_not_pickle() -> None:
    """They belong to their process, and the error says so; a repr shows no credential."""
    runloop = Stub().client()
    for each in (runloop, runloop.devbox.from_id("dbx_1")):
        with pytest.raises(TypeError, match="does not pickle"):
            pickle.dumps(each)
    assert "rk_of_the_tests" not in repr(runloop)
    assert "<Devbox dbx_1>" == repr(runloop.devbox.from_id("dbx_1"))


def test_transport_settings() -> None:
    """An HTTP transport of the caller's is used as it is."""
    with LoopbackServer(json_reply({"devboxes": [], "has_more": False})) as server:
        transport = HTTPTransport(server.url, proxies={})
        with RunloopSDK(bearer_token="k1234567", transport=transport) as runloop:
            assert [] == list(runloop.devbox.list())
            assert not runloop.devbox.list()


def test_list_that_repeats_itself() -> None:
    """A service that returns the same page again and again is an error, not an endless list."""
    page = {"devboxes": [{"id": "dbx_1", "status": "running"}], "has_more": True}
    stub = Stub(respond=lambda _: as_json(page))
    with stub.client() as runloop, pytest.raises(InvalidResponseError, match="repeats the page after dbx_1"):
        list(runloop.devbox.list())
    assert 2 == len(stub.requests)
