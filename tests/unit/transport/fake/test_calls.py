"""Scripted functions of the fake, and timers on its clock."""

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
    """It is returned for any arguments; a semicolon and surrounding spaces are ignored."""
    fake.on_call("() => 1", returns={"total": (1, 2.0, None)})
    assert {"total": [1, 2, None]} == session.call("() => 1;\n", "any", "thing")
    fake.on_call("() => null", returns=None)
    assert session.call("() => null") is None


def test_an_export_of_a_file(fake: FakeTransport, session: Session) -> None:
    """It is matched by its name; the default export with or without its name."""
    fake.on_call("./lib.ts#a", returns="a")
    fake.on_call("./lib.ts", returns="default")
    assert ["a", "default", "default"] == [
        session.call(name) for name in ("./lib.ts#a", "./lib.ts", "./lib.ts#default")
    ]


def test_a_pattern_or_a_predicate(fake: FakeTransport, session: Session) -> None:
    """For a long or generated source; scripts are tried in order."""
    fake.on_call(re.compile(r"sum\w+"), returns="pattern")
    fake.on_call(lambda source: source.startswith("async"), returns="predicate")
    assert "pattern" == session.call("async () => summarise()")
    assert "predicate" == session.call("async () => 1")


def test_a_handler_gets_the_arguments(fake: FakeTransport, session: Session) -> None:
    """They have their JavaScript values, large ones too; the files that carried those are deleted."""
    fake.on_call("f", handler=lambda text, rows, kinds: [len(text), rows, sorted(kinds)])
    assert [9_000_000, [1, [2]], ["a", "b"]] == session.call("f", "x" * 9_000_000, (1, (2,)), {"a", "b"})
    assert {} == fake.sessions[session.id].files


def test_a_function_throws(fake: FakeTransport, session: Session) -> None:
    """By a fixed error, or by one that a handler raises."""

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
    """It is unchanged, so that a mistake in a test is visible."""
    fake.on_call("f", handler=lambda a: 1 / a)
    fake.on_call("g", returns=object())
    with pytest.raises(ZeroDivisionError):
        session.call("f", 0)
    with pytest.raises(TypeError, match="object"):
        session.call("g")


def test_output_in_addition_to_the_value(fake: FakeTransport, session: Session) -> None:
    """A script may print."""
    fake.on_call("f", returns=1, stdout="out\n", stderr="err\n")
    out: list[str] = []
    err: list[str] = []
    assert 1 == session.call("f", on_stdout=out.append, on_stderr=err.append)
    assert (["out\n"], ["err\n"]) == (out, err)


def test_the_error_for_an_unscripted_call_shows_the_line_to_add(
    fake: FakeTransport, session: Session
) -> None:
    """It is a 501, never retried; only a part of a long source is shown."""
    with pytest.raises(ServerError) as caught:
        session.call("(a, b) => a + b", 1, 2)
    assert (501, "unscripted_call") == (caught.value.status, caught.value.code)
    assert "fake.on_call('(a, b) => a + b', returns=...)" in caught.value.message
    with pytest.raises(
        ServerError, match=r"fake\.on_call\(lambda source: 'x{60}' in source, returns=\.\.\.\)"
    ):
        session.call("x" * 500)


def test_unused_scripts_can_fail_a_test(fake: FakeTransport, session: Session) -> None:
    """Those of functions and those of executions."""
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
def test_a_script_needs_exactly_one_result(fake: FakeTransport, options: dict[str, Any]) -> None:
    """A value, a handler or an error that JavaScript could throw."""
    with pytest.raises(TypeError, match=r"on_call|JavaScriptError"):
        fake.on_call("f", **options)


def test_timers_run_as_time_passes(fake: FakeTransport) -> None:
    """In the order of their times, at their times, until they are cancelled."""
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


def test_a_timer_may_advance_the_clock(fake: FakeTransport) -> None:
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


def test_the_date_is_that_of_the_fake(fake: FakeTransport) -> None:
    """It moves with its clock."""
    before = fake.time()
    fake.advance(86_400)
    assert 86_400 == pytest.approx(fake.time() - before)
