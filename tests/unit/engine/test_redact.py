"""No repr, log line, error or local variable of a traceback shows a key."""

from __future__ import annotations

import logging
import pickle
import traceback
from pathlib import Path
from typing import Any, Callable

import pytest

import buntime
from buntime import Buntime, BuntimeError, ConfigurationError
from buntime.transport import FunctionTransport, HTTPTransport
from tests.support import responses
from tests.support.cases import in_one_test
from tests.support.loopback import LoopbackServer, drop, json_reply
from tests.support.scripted import ScriptedTransport, Step, always, lost

KEY = "btk_" + "S3CR3T" * 4
_PACKAGE = str(Path(buntime.__file__).parent)


def _all_reprs(value: Any, visited: set[int], depth: int = 8) -> list[str]:
    """Return the repr of a value and, recursively, of all values in its ``vars()``."""
    if id(value) in visited or not depth:
        return []
    visited.add(id(value))
    reprs = [repr(value)]
    inner = list(vars(value).values()) if hasattr(value, "__dict__") and not isinstance(value, type) else []
    if isinstance(value, (tuple, list, set)):
        inner.extend(value)
    elif isinstance(value, dict):
        inner.extend([*value.keys(), *value.values()])
    for item in inner:
        reprs.extend(_all_reprs(item, visited, depth - 1))
    return reprs


def _render(error: BaseException) -> str:
    """Return the most verbose traceback of our frames, including causes and contexts."""
    texts = [
        "".join(traceback.format_exception(type(error), error, error.__traceback__)),
        repr(error),
        repr(vars(error)),
    ]
    pending: list[BaseException | None] = [error]
    while pending:
        current = pending.pop()
        if current is None:
            continue
        pending += [current.__cause__, current.__context__]
        for frame, _ in traceback.walk_tb(current.__traceback__):
            if frame.f_code.co_filename.startswith(_PACKAGE):
                texts.extend(f"{name}={value!r}" for name, value in frame.f_locals.items())
    return "\n".join(texts)


FAILING: dict[str, Callable[[Buntime], object]] = {
    "create": lambda c: c.sessions.create(metadata={"a": 1}),
    "info": lambda c: c.sessions.info("ses_1"),
    "delete": lambda c: c.sessions.delete("ses_1"),
    "execute": lambda c: c.execute(session_id="ses_1", code="1"),
    "stream": lambda c: list(c.stream(session_id="ses_1", code="1")),
    "read": lambda c: c.files.read(session_id="ses_1", path="a.txt"),
    "write": lambda c: c.files.write(session_id="ses_1", path="a.txt", content="x"),
    "request": lambda c: c.request("POST", "/x", json={}).json(),
    "with_options": lambda c: c.with_options(timeout=5).sessions.info("ses_1"),
}
FAILURES: dict[str, Step] = {
    "lost": lost("read"),
    "refused": always(responses.error, 401, "unauthorized", "the key is wrong"),
    "page": always(responses.raw, b"<html>", 200, [("Content-Type", "text/html")]),
    "redirect": always(responses.raw, b"", 302, [("Location", "https://elsewhere.invalid")]),
    "a bug": RuntimeError("boom"),
}


@in_one_test("call", FAILING)
@in_one_test("failure", FAILURES)
def test_a_failing_request_shows_no_key(call: str, failure: str) -> None:
    """The message, the attributes, our local variables and the pickle are without it."""
    client = Buntime(KEY, transport=ScriptedTransport(FAILURES[failure]), max_retries=0)
    with pytest.raises((BuntimeError, RuntimeError, ValueError)) as caught:
        FAILING[call](client)
    assert KEY not in _render(caught.value)
    assert KEY.encode() not in pickle.dumps(caught.value)


@pytest.mark.parametrize("handler", [drop, json_reply({"error": {"code": "unauthorized"}}, 401)])
def test_a_failing_http_request_shows_no_key(handler: Any) -> None:
    """The frames of the HTTP transport are without it too."""
    with LoopbackServer(handler) as server, Buntime(KEY, base_url=server.url, max_retries=0) as client:
        with pytest.raises(BuntimeError) as caught:
            client.sessions.info("ses_1")
        assert f"Bearer {KEY}" == server.requests[0].headers["Authorization"]
    assert KEY not in _render(caught.value)
    assert KEY.encode() not in pickle.dumps(caught.value)


@in_one_test(
    "options",
    [
        {"api_key": f"{KEY} "},
        {"api_key": f"{KEY}\u00e9"},
        {"api_key": KEY, "timeout": -1},
        {"api_key": KEY, "max_retries": -1},
        {"api_key": KEY, "headers": {"A b": "c"}},
        {"api_key": KEY, "transport": object()},
        {"api_key": KEY, "base_url": "nonsense://"},
        {"headers": {"Authorization": f"Bearer {KEY}\n"}},
        {"headers": {"Authorization": f"Bearer {KEY}", "": "x"}},
        {"headers": {"Authorization": f"Bearer {KEY}"}, "timeout": -1},
    ],
    ids=range(10),
)
def test_a_failing_construction_shows_no_key(options: dict[str, Any]) -> None:
    """This holds for every way to pass a key and for every invalid setting."""
    with pytest.raises(ConfigurationError) as caught:
        Buntime(**options)
    assert KEY not in _render(caught.value)


def test_a_failing_construction_shows_no_key_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message about it does not either."""
    monkeypatch.setenv("BUNTIME_API_KEY", f"{KEY}\n")
    with pytest.raises(ConfigurationError, match="BUNTIME_API_KEY") as caught:
        Buntime()
    assert KEY not in _render(caught.value)


def test_failing_options_show_no_key() -> None:
    """A header of ``with_options`` may be a credential too."""
    client = Buntime(transport=FunctionTransport(lambda _: responses.as_json({})))
    with pytest.raises(ConfigurationError) as caught:
        client.with_options(headers={"Authorization": f"Bearer {KEY}\n"})
    assert KEY not in _render(caught.value)


@pytest.mark.parametrize("options", [{"api_key": KEY}, {"headers": {"X-Gateway-Token": KEY}}])
def test_a_client_shows_no_key(options: dict[str, Any]) -> None:
    """Neither repr nor vars at any depth shows it, including sessions, files and streams."""
    transport = ScriptedTransport(
        always(responses.as_json, responses.CREATED),
        always(responses.event_stream, responses.event("stdout", {"text": "a"})),
    )
    client = Buntime(transport=transport, **options)
    session = client.sessions.create()
    stream = session.stream("1")
    next(stream)
    for value in (client, client.with_options(timeout=5), client.files, session, session.files, stream):
        assert KEY not in "\n".join(_all_reprs(value, set()))


def test_a_client_over_http_shows_no_key() -> None:
    """Its transport does not either, used or unused."""
    with LoopbackServer(json_reply(responses.INFO)) as server, Buntime(KEY, base_url=server.url) as client:
        client.sessions.info("ses_1")
        assert KEY not in "\n".join(_all_reprs(client, set(), depth=12))


def test_no_log_line_has_the_key(caplog: pytest.LogCaptureFixture) -> None:
    """The debug logs of every library are without it, retries and failures included."""
    caplog.set_level(logging.DEBUG)
    with LoopbackServer(drop, json_reply(responses.CREATED), drop) as server:
        client = Buntime(KEY, transport=HTTPTransport(server.url), retry_delay=0, max_retries=1)
        with client, pytest.raises(ZeroDivisionError), client.sessions.create():
            raise ZeroDivisionError
    assert caplog.records
    assert KEY not in "\n".join([caplog.text, *(repr(vars(record)) for record in caplog.records)])


def test_a_pickled_client_has_no_key() -> None:
    """Loading it reads that of the environment."""
    with Buntime(KEY) as client:
        assert KEY.encode() not in pickle.dumps(client)
        with pytest.raises(ConfigurationError, match="BUNTIME_API_KEY"):
            pickle.loads(pickle.dumps(client))


def test_a_request_shows_no_credential() -> None:
    """Custom transports may print their requests."""
    texts: list[str] = []

    def note(request: Any) -> Any:
        texts.extend([repr(request), str(request), repr(request.headers)])
        return responses.as_json(responses.INFO)

    Buntime(KEY, transport=FunctionTransport(note)).sessions.info("ses_1")
    assert KEY not in "\n".join(texts)
