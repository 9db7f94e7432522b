"""Arguments that are invalid on every plan are rejected before a request, by name."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from buntime import Buntime, ExecuteRequest, ResourceLimits, SessionPool
from tests.support.cases import in_one_test
from tests.support.scripted import ScriptedTransport, lost

Call = Callable[[Any], object]


def _create(**arguments: Any) -> Call:
    return lambda client: client.sessions.create(**arguments)


def _execute(**arguments: Any) -> Call:
    return lambda client: client.execute(**{"session_id": "ses_1", "code": "1", **arguments})


def _limits(**limits: Any) -> Call:
    return _create(resource_limits=ResourceLimits(**limits))


def _write(path: Any = "a.txt", content: Any = "x", session_id: Any = "ses_1") -> Call:
    return lambda client: client.files.write(session_id=session_id, path=path, content=content)


def _create_pool(client: Any, **arguments: Any) -> SessionPool:
    return SessionPool(client, **arguments)


def _pool(method: str, *positional: Any, **arguments: Any) -> Call:
    return lambda client: getattr(SessionPool(client), method)(*positional, **arguments)


_deep: list[Any] = []
for _ in range(100_000):
    _deep = [_deep]

INVALID: list[tuple[Call, type[Exception], str]] = [
    (_create(ttl=299), ValueError, "ttl"),
    (_create(ttl=-1), ValueError, "ttl"),
    (_create(ttl=300.5), ValueError, "ttl"),
    (_create(ttl=float("nan")), ValueError, "ttl"),
    (_create(ttl=float("inf")), ValueError, "ttl"),
    (_create(ttl="3600"), TypeError, "ttl"),
    (_create(ttl=True), TypeError, "ttl"),
    (_create(metadata=[("a", 1)]), TypeError, "metadata"),
    (_create(metadata="{}"), TypeError, "metadata"),
    (_create(metadata={1: "a"}), TypeError, "metadata"),
    (_create(metadata={"a": object()}), TypeError, "metadata"),
    (_create(metadata={"a": float("nan")}), ValueError, "metadata"),
    (_create(metadata={"a": "\ud800"}), ValueError, "metadata"),
    (_create(metadata={"a": "x" * 16384}), ValueError, "metadata"),
    (_create(metadata={"a": _deep}), ValueError, "metadata"),
    (_create(resource_limits={"memory": 1}), TypeError, "resource_limits"),
    (_limits(memory=0), ValueError, "memory"),
    (_limits(memory="1 GB"), TypeError, "memory"),
    (_limits(timeout=-1), ValueError, "timeout"),
    (_limits(timeout=1.5), TypeError, "timeout"),
    (_limits(cpu=float("nan")), ValueError, "cpu"),
    (_limits(disk=10), ValueError, "disk"),
    (_create(idempotency_key=""), ValueError, "idempotency_key"),
    (_create(idempotency_key="a\nb"), ValueError, "idempotency_key"),
    (_create(idempotency_key="é"), ValueError, "idempotency_key"),
    (_create(idempotency_key=7), TypeError, "idempotency_key"),
    (_create(timeout=5), TypeError, "timeout"),
    (lambda c: c.sessions.info(""), ValueError, "session_id"),
    (lambda c: c.sessions.info(" "), ValueError, "session_id"),
    (lambda c: c.sessions.info(".."), ValueError, "session_id"),
    (lambda c: c.sessions.attach(None), TypeError, "session_id"),
    (lambda c: c.sessions.delete(7), TypeError, "session_id"),
    (_execute(session_id=""), ValueError, "session_id"),
    (_execute(code=None), ValueError, "neither"),
    (_execute(command="ls"), ValueError, "both"),
    (_execute(code=b"1"), TypeError, "code"),
    (_execute(code="\ud800"), ValueError, "code"),
    (_execute(code=None, command=["ls"]), TypeError, "command"),
    (_execute(code=None, command="a\0b"), ValueError, "command"),
    (_execute(working_dir="a\0b"), ValueError, "working_dir"),
    (_execute(timeout=0), ValueError, "timeout"),
    (_execute(timeout=-5), ValueError, "timeout"),
    (_execute(timeout=1.5), ValueError, "timeout"),
    (_execute(timeout="5"), TypeError, "timeout"),
    (_execute(working_dir=""), ValueError, "working_dir"),
    (_execute(working_dir=7), TypeError, "working_dir"),
    (_execute(env=["A=b"]), TypeError, "env"),
    (_execute(env={"A": 1}), TypeError, "env"),
    (_execute(env={1: "a"}), TypeError, "env"),
    (_execute(env={"": "a"}), ValueError, "env"),
    (_execute(env={"A=B": "a"}), ValueError, "env"),
    (_execute(env={"A": "a\0b"}), ValueError, "env"),
    (_execute(files="a.txt"), TypeError, "files"),
    (_execute(files={"a.txt": b"x"}), TypeError, "files"),
    (_execute(files={"": "x"}), ValueError, "files"),
    (_execute(files=[{"path": "a.txt"}]), ValueError, "files"),
    (_execute(files=[{"path": "a", "content": "x", "mode": "w"}]), ValueError, "files"),
    (_execute(files=["a.txt"]), TypeError, "files"),
    (_execute(files={"a/": "x"}), ValueError, "names a folder"),
    (_execute(dir="x"), TypeError, "dir"),
    (_execute(check="no"), TypeError, "check"),
    (_execute(idempotent="no"), TypeError, "idempotent"),
    (lambda c: c.stream(session_id="ses_1"), ValueError, "neither"),
    (lambda c: c.sessions.attach("s").execute("1", cwd="x"), TypeError, "cwd"),
    (lambda c: c.kill(session_id="ses_1", pid=0), ValueError, "pid"),
    (lambda c: c.kill(session_id="ses_1", pid=True), TypeError, "pid"),
    (lambda c: c.kill(session_id="", pid=1), ValueError, "session_id"),
    (lambda c: c.kill_all(session_id=""), ValueError, "session_id"),
    (_write(path=""), ValueError, "path"),
    (_write(path="a\0b"), ValueError, "path"),
    (_write(path=7), TypeError, "path"),
    (_write(content=7), TypeError, "content"),
    (_write(content="\ud800"), ValueError, "content"),
    (_write(session_id=""), ValueError, "session_id"),
    (lambda c: c.files.read(session_id="ses_1", path=""), ValueError, "path"),
    (_write(path="a/"), ValueError, "names a folder"),
    (lambda c: c.files.read(session_id="ses_1", path="a/"), ValueError, "names a folder"),
    (lambda c: c.files.read_bytes(session_id="ses_1", path="a/"), ValueError, "names a folder"),
    (lambda c: c.files.list(session_id="ses_1", recursive="no"), TypeError, "recursive"),
    (lambda c: c.files.delete(session_id="ses_1", path="a", recursive="no"), TypeError, "recursive"),
    (lambda c: c.files.delete(session_id="ses_1", path="a", missing_ok=1), TypeError, "missing_ok"),
    (lambda c: c.files.move(session_id="s", source="a", target="b", overwrite=1), TypeError, "overwrite"),
    (lambda c: c.files.upload(session_id="s", local=".", remote="", delete="no"), TypeError, "delete"),
    (lambda c: c.files.download(session_id="s", remote="", local="x", delete="no"), TypeError, "delete"),
    (_pool("map", print, [], ordered="no"), TypeError, "ordered"),
    (_pool("execute", [], ordered="no"), TypeError, "ordered"),
    (lambda c: _create_pool(c, reuse="no"), TypeError, "reuse"),
    (lambda c: c.files.list(session_id="ses_1", path="a\0"), ValueError, "path"),
    (lambda c: c.files.list(session_id="ses_1", path=None), TypeError, "path"),
    (lambda c: c.request("", "/x"), ValueError, "method"),
    (lambda c: c.request("GET /", "/x"), ValueError, "method"),
    (lambda c: c.request("GET", "x"), ValueError, "path"),
    (lambda c: c.request("GET", "/x?a=1"), ValueError, "path"),
    (lambda c: c.request("GET", "/x\r\nHost: y"), ValueError, "path"),
    (lambda c: c.request("POST", "/x", json=object()), TypeError, "json"),
    (lambda c: c.request("POST", "/x", json=float("inf")), ValueError, "json"),
]


@in_one_test(("call", "kind", "message"), INVALID, ids=range(len(INVALID)))
def test_an_invalid_argument_is_named_before_a_request(
    call: Call, kind: type[Exception], message: str
) -> None:
    """It is a TypeError or a ValueError, as in the standard library."""
    transport = ScriptedTransport(lost())
    with pytest.raises(kind, match=message) as caught:
        call(Buntime(transport=transport))
    assert kind is type(caught.value)
    assert [] == transport.requests


def test_limits_are_those_of_the_api_sheet() -> None:
    """The smallest ttl and the largest metadata are accepted."""
    filler = "x" * (16384 - len('{"a":""}'))
    for call in (_create(ttl=300), _create(ttl=604800.0), _create(metadata={"a": filler})):
        transport = ScriptedTransport(lost("send"))
        with pytest.raises(Exception, match="lost"):
            call(Buntime(transport=transport, max_retries=0))
        assert 1 == len(transport.requests)


@in_one_test(
    "files",
    [
        {"a.txt": "x", "b.txt": "y"},
        [{"path": "a.txt", "content": "x"}, {"content": "y", "path": "b.txt"}],
        [("a.txt", "x"), ("b.txt", "y")],
        iter([("a.txt", "x"), {"path": "b.txt", "content": "y"}]),
    ],
    ids=["mapping", "objects", "pairs", "iterator"],
)
def test_files_have_many_forms(files: Any) -> None:
    """All forms are equivalent."""
    assert (("a.txt", "x"), ("b.txt", "y")) == ExecuteRequest("1", files=files).files


def test_whole_seconds_may_be_floats() -> None:
    """``5.0`` is five seconds, sent as ``5``."""
    seconds: Any = 5.0
    timeout = ExecuteRequest("1", timeout=seconds).timeout
    assert "5" == str(timeout)


def test_mutable_arguments_are_copied() -> None:
    """A request does not change if the caller's objects do."""
    env, files = {"A": "b"}, {"a.txt": "x"}
    request = ExecuteRequest("1", env=env, files=files)
    env["A"] = files["a.txt"] = "changed"
    assert {"A": "b"} == request.env
    assert (("a.txt", "x"),) == request.files
