"""The fake: functions that are called, and timers on its clock."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from buntime import Buntime, JavaScriptError, ServerError, Session
from buntime.transport import FakeTransport


@pytest.fixture
def fake() -> FakeTransport:
    """Return a fake."""
    return FakeTransport()


@pytest.fixture
def session(fake: FakeTransport) -> Iterator[Session]:
    """Return a session of a client that does not retry."""
    with Buntime(transport=fake, max_retries=0) as client:
        yield client.sessions.create()


def test_a_fixed_value(fake: FakeTransport, session: Session) -> None:
    """Whatever the arguments; a semicolon and spaces around make no difference."""
    fake.on_call("() => 1", returns={"total": (1, 2.0, None)})
    assert {"total": [1, 2, None]} == session.call("() => 1;\n", "any", "thing")
    fake.on_call("() => null", returns=None)
    assert session.call("() => null") is None


def test_an_export_of_a_file(fake: FakeTransport, session: Session) -> None:
    """By the name it is called by; the default one with or without its name."""
    fake.on_call("./lib.ts#a", returns="a")
    fake.on_call("./lib.ts", returns="default")
    assert ["a", "default", "default"] == [
        session.call(name) for name in ("./lib.ts#a", "./lib.ts", "./lib.ts#default")
    ]


def test_a_pattern_or_a_predicate(fake: FakeTransport, session: Session) -> None:
    """For a source that is long or made; scripts are tried in order."""
    fake.on_call(re.compile(r"sum\w+"), returns="pattern")
    fake.on_call(lambda source: source.startswith("async"), returns="predicate")
    assert "pattern" == session.call("async () => summarise()")
    assert "predicate" == session.call("async () => 1")


def test_a_handler_gets_the_arguments(fake: FakeTransport, session: Session) -> None:
    """As JavaScript would have them, large ones too; what carried those is gone."""
    fake.on_call("f", handler=lambda text, rows, kinds: [len(text), rows, sorted(kinds)])
    assert [9_000_000, [1, [2]], ["a", "b"]] == session.call("f", "x" * 9_000_000, (1, (2,)), {"a", "b"})
    assert {} == fake.sessions[session.id].files


def test_a_function_throws(fake: FakeTransport, session: Session) -> None:
    """By a fixed error, or one that a handler raises."""

    def handler() -> None:
        raise JavaScriptError("handled", name="TypeError")

    fake.on_call("f", raises=JavaScriptError("boom", name="RangeError", stack="RangeError: boom\n    at f"))
    fake.on_call("g", handler=handler)
    with pytest.raises(JavaScriptError) as caught:
        session.call("f")
    assert ("RangeError", "boom") == (caught.value.name, caught.value.message)
    assert "RangeError: boom\n    at f" == caught.value.stack
    with pytest.raises(JavaScriptError, match="TypeError: handled"):
        session.call("g")


def test_another_error_of_a_handler_reaches_the_caller(fake: FakeTransport, session: Session) -> None:
    """As it is, so that a mistake in a test shows."""
    fake.on_call("f", handler=lambda a: 1 / a)
    fake.on_call("g", returns=object())
    with pytest.raises(ZeroDivisionError):
        session.call("f", 0)
    with pytest.raises(TypeError, match="object"):
        session.call("g")


def test_output_beside_the_value(fake: FakeTransport, session: Session) -> None:
    """A script may print."""
    fake.on_call("f", returns=1, stdout="out\n", stderr="err\n")
    out: list[str] = []
    err: list[str] = []
    assert 1 == session.call("f", on_stdout=out.append, on_stderr=err.append)
    assert (["out\n"], ["err\n"]) == (out, err)


def test_a_call_nobody_scripted_shows_the_line_to_add(fake: FakeTransport, session: Session) -> None:
    """It is a 501, never retried; a long source is shown by a part of it."""
    with pytest.raises(ServerError) as caught:
        session.call("(a, b) => a + b", 1, 2)
    assert (501, "unscripted_call") == (caught.value.status, caught.value.code)
    assert "fake.on_call('(a, b) => a + b', returns=...)" in caught.value.message
    with pytest.raises(
        ServerError, match=r"fake\.on_call\(lambda source: 'x{60}' in source, returns=\.\.\.\)"
    ):
        session.call("x" * 500)


def test_unused_scripts_can_fail_a_test(fake: FakeTransport, session: Session) -> None:
    """Those of calls as those of executions."""
    fake.on_call("f", returns=1)
    with pytest.raises(AssertionError, match=r"on_call\('f'\)"):
        fake.assert_all_scripts_used()
    session.call("f")
    fake.assert_all_scripts_used()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"returns": 1, "handler": print},
        {"handler": print, "raises": JavaScriptError("x")},
        {"raises": ValueError},
    ],
)
def test_it_must_be_clear_what_comes_of_it(fake: FakeTransport, options: dict[str, Any]) -> None:
    """Exactly one of a value, a handler and an error that JavaScript could throw."""
    with pytest.raises(TypeError, match=r"on_call|JavaScriptError"):
        fake.on_call("f", **options)


def test_timers_act_as_time_passes(fake: FakeTransport) -> None:
    """In the order of their times, at their times, until they are stopped."""
    recorded: list[tuple[str, float]] = []
    stop = fake.every(10, lambda: recorded.append(("ten", fake.monotonic())))
    fake.every(4, lambda: recorded.append(("four", fake.monotonic())))
    fake.advance(9)
    fake.advance(4)
    assert [("four", 4), ("four", 8), ("ten", 10), ("four", 12)] == recorded
    stop()
    stop()
    fake.advance(8)
    assert [("four", 16), ("four", 20)] == recorded[4:]
    assert 21 == fake.monotonic()


def test_a_timer_may_take_time_itself(fake: FakeTransport) -> None:
    """As a client's back-off does; no timer runs inside another, and none is lost by an error."""
    recorded: list[float] = []

    def act() -> None:
        recorded.append(fake.monotonic())
        fake.sleep(3)
        if len(recorded) == 2:
            raise KeyError("a bug")

    fake.every(2, act)
    fake.advance(2)
    assert ([2], 5) == (recorded, fake.monotonic())
    with pytest.raises(KeyError):
        fake.advance(1)
    fake.advance(1)
    assert 3 <= len(recorded)


def test_the_date_is_the_fakes(fake: FakeTransport) -> None:
    """It moves with its clock."""
    before = fake.time()
    fake.advance(86_400)
    assert 86_400 == pytest.approx(fake.time() - before)
