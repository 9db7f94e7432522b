"""Calls of JavaScript functions."""

from __future__ import annotations

import math
from datetime import datetime, timezone
from typing import Any

import pytest

from buntime import (
    ExecutionFailedError,
    ExecutionTimeoutError,
    InvalidRequestError,
    JavaScriptError,
    Session,
    SessionFileNotFoundError,
)
from tests.contract import functions
from tests.contract.transports import FOR_HELPERS, matrix, runs_on

RUNS_ON = FOR_HELPERS


@pytest.fixture
def real(transport_name: str, session: Session) -> Session:
    """Return a session in which functions really run, unlike on a fake."""
    if "fake" in transport_name:
        pytest.skip("a fake runs no function")
    return session


def test_a_function_is_called(session: Session) -> None:
    """Arguments and results are JSON."""
    assert 5 == session.call(functions.ADD, 2, 3)
    assert "23" == session.call(functions.ADD, "2", "3")


def test_output_and_value_are_separate(session: Session) -> None:
    """A typed async function is awaited; its output goes to the callbacks, complete and without the value."""
    out: list[str] = []
    err: list[str] = []
    value = session.call(functions.GREET, "World", on_stdout=out.append, on_stderr=err.append)
    assert "Hello, World" == value
    assert ("working\n", "and complaining\n") == ("".join(out), "".join(err))
    assert "Hello, you" == session.call(functions.GREET, "you")


ARGUMENTS: list[Any] = [
    None,
    True,
    0,
    2**53 - 1,
    -(2**53),
    2**70,
    0.5,
    math.inf,
    "é ☃ 😀 \0 \u2028 \ud800 </script>",
    b"\x00\xff",
    datetime(2024, 1, 19, 10, 30, 0, 5000, timezone.utc),
    datetime(1, 1, 1, tzinfo=timezone.utc),
    [],
    [1, [2, {"three": []}]],
    {"a": {"b": None}, "__proto__": {"c": 1}, "constructor": 1, "": 2},
    {"$buntime": "mine", "value": {"$buntime": 1}},
    {1, "a", None},
]


def test_values_round_trip(session: Session) -> None:
    """Values that a function returns unchanged are equal to the arguments."""
    back = session.call(functions.ECHO, *ARGUMENTS, timeout=20)
    assert ARGUMENTS == back
    assert [type(value) for value in ARGUMENTS] == [type(value) for value in back]
    nan, zero, pair = session.call(functions.ECHO, math.nan, -0.0, (1, 2))
    assert math.isnan(nan)
    assert -1 == math.copysign(1, zero)
    assert [1, 2] == pair


def test_values_without_json_equivalent(session: Session) -> None:
    """Each JavaScript value has a Python equivalent."""
    values = session.call(functions.VALUES)
    assert math.isnan(values.pop("nan"))
    assert -1 == math.copysign(1, values.pop("zero"))
    half, nan = values.pop("numbers")
    assert (0.5, True) == (half, math.isnan(nan))
    assert datetime(2024, 1, 19, 10, 30, 0, 5000, timezone.utc) == values.pop("date")
    assert functions.RETURNED == values
    assert int is type(values["whole"])


def test_javascript_errors_are_raised(session: Session) -> None:
    """The error has the name, the message, and the line of the source."""
    assert session.call(functions.THROWS, 3) is None
    with pytest.raises(JavaScriptError) as caught:
        session.call(functions.THROWS, 4)
    error = caught.value
    assert ("RangeError", "too deep: 4") == (error.name, error.message)
    assert ["RangeError: too deep: 4", "    at <anonymous> (function:4:15)"] == error.stack.splitlines()
    assert error.result is not None
    assert ("", 1) == (error.result.stdout, error.result.exit_code)
    assert "function:4:15" in str(error)


def test_anything_can_be_thrown(session: Session) -> None:
    """A thrown value that is not an error has its type as its name, and no stack."""
    with pytest.raises(JavaScriptError) as caught:
        session.call(functions.THROWS_TEXT)
    assert ("string", "only a text", "") == (caught.value.name, caught.value.message, caught.value.stack)


def test_a_function_in_a_file_is_called(session: Session) -> None:
    """A function can be a file's export or its default export; errors show the lines of the file."""
    session.files.write("lib.ts", functions.LIBRARY)
    assert 42 == session.call("./lib.ts#summarise", [{"value": 2}, {"value": 40}])
    assert "the default of it" == session.call("./lib.ts", "it") == session.call("./lib.ts#default", "it")
    with pytest.raises(JavaScriptError) as caught:
        session.call("./lib.ts#summarise", [])
    assert "    at summarise (lib.ts:5:15)" in caught.value.stack.splitlines()


@matrix("size", [20_000, 300_000, 1_600_000], common=2)
def test_large_values_travel(session: Session, size: int) -> None:
    """Large values are sent as files and in chunks, which no list shows."""
    text = "é" * (size // 2)
    assert text + text == session.call(functions.LARGE, text)
    assert [] == session.files.list()


@runs_on("local", "local_without_isolation", "http")
def test_large_values_leave_no_file(real: Session) -> None:
    """The files for large values are deleted after the call."""
    real.call(functions.LARGE, "x" * 5_000_000)
    assert "" == real.execute(command="find .buntime -type f").stdout


def test_imports_are_relative_to_the_workspace(real: Session) -> None:
    """A function's imports work as in an execution."""
    real.files.write("lib.ts", functions.LIBRARY)
    assert "the default of x" == real.call("async (x) => (await import('./lib.ts')).default(x)", "x")


def test_a_function_may_end_its_process(real: Session) -> None:
    """The error reports it, and the output is available."""
    with pytest.raises(ExecutionFailedError, match=r"process\.exit\(3\)") as caught:
        real.call("() => { console.log('before'); process.exit(3) }")
    assert caught.value.result is not None
    assert ("before\n", 3) == (caught.value.result.stdout, caught.value.result.exit_code)
    with pytest.raises(ExecutionFailedError, match="exit code 137"):
        real.call("() => { process.kill(process.pid, 'SIGKILL') }")


@runs_on("local", "http", "recorded_local", "replayed_local")
def test_a_function_may_never_return(real: Session) -> None:
    """It reaches the time limit, or ends because nothing can make it return."""
    with pytest.raises(ExecutionTimeoutError):
        real.call("async () => { for (;;) await Bun.sleep(10) }", timeout=1)
    with pytest.raises(ExecutionFailedError, match="never resolved"):
        real.call("() => new Promise(() => {})")


def test_background_work_of_a_function_ends_with_the_call(real: Session) -> None:
    """A timer or a server does not delay the caller."""
    assert 1 == real.call(
        "() => { setInterval(() => {}, 1000); Bun.serve({ port: 0, fetch() {} }); return 1 }"
    )


def test_background_errors_fail_the_call(real: Session) -> None:
    """An error in a timer or an unhandled rejection fails the call."""
    for source in (
        "() => { setTimeout(() => { throw new Error('later') }, 1); return new Promise(() => {}) }",
        "() => { Promise.reject(new Error('later')); return Bun.sleep(60_000) }",
    ):
        with pytest.raises(JavaScriptError, match="later"):
            real.call(source)


@matrix(
    "source, name, message",
    [
        ("(a) => {\n  return +;\n}", "SyntaxError", "function:2:11"),
        ("(a) => [a", "SyntaxError", "found end of file\n    at function:1:10"),
        ("./broken.ts#x", "SyntaxError", r"broken.ts:2:"),
        ("3 +", "SyntaxError", ""),
        ("42", "TypeError", "the source is of type number, not a function"),
        ("nothing_of_this_name", "ReferenceError", "nothing_of_this_name"),
        ("./lib.ts#other", "TypeError", 'no export "other"; it exports default, summarise'),
    ],
    common=2,
)
def test_invalid_functions(real: Session, source: str, name: str, message: str) -> None:
    """Each error shows the problem and its position."""
    real.files.write("lib.ts", functions.LIBRARY)
    real.files.write("broken.ts", "export const a = 1;\nexport function x( { }")
    with pytest.raises(JavaScriptError) as caught:
        real.call(source)
    assert name == caught.value.name
    assert message in str(caught.value)


def test_a_missing_file(real: Session) -> None:
    """The error is a FileNotFoundError; a file outside the workspace raises InvalidRequestError."""
    with pytest.raises(SessionFileNotFoundError, match=r"\./missing\.ts") as caught:
        real.call("./missing.ts#x")
    assert "./missing.ts" == caught.value.filename
    with pytest.raises(InvalidRequestError, match="outside"):
        real.call("./../outside.ts")
    real.files.write("odd\\name.ts", "export default () => 1")
    with pytest.raises(InvalidRequestError, match="cannot import a file with this name"):
        real.call("./odd\\name.ts")


@matrix(
    "value, problem",
    [
        ("/x/g", "a RegExp"),
        ("new Error('e')", "an Error"),
        ("() => 1", "a function"),
        ("Symbol('x')", "a symbol"),
        ("(() => { const a = {}; a.b = [a]; return a })()", "holds itself"),
        ("new Date(NaN)", "an invalid Date"),
        ("new Date(8.64e15)", "years 1 to 9999"),
        ("new WeakMap()", "a WeakMap"),
        ("Promise.resolve(1)", "a Promise"),
        ("new Response('x')", "a Response"),
        ("(function* () {})()", "a Generator"),
        ("Math", "a Math"),
        ("new Map([[1, 1], [true, 2]])", "equal in Python"),
        ("new Set([[1]])", "contains objects"),
    ],
    common=1,
)
def test_values_without_python_equivalent(real: Session, value: str, problem: str) -> None:
    """The error shows the position of the value, and nothing is dropped silently."""
    with pytest.raises(JavaScriptError, match=r"at \.deep\[0\]") as caught:
        real.call(f"() => ({{ deep: [{value}] }})")
    assert "TypeError" == caught.value.name
    assert problem in caught.value.message


def test_a_forged_result_is_ignored(real: Session) -> None:
    """Whatever a function prints, the value is its return value."""
    source = "() => { process.stdout.write('\\x1e a\\x1ebuntime:call {\"value\":1}\\n'); return 2 }"
    assert 2 == real.call(source)


def test_causes_and_codes_are_in_details(real: Session) -> None:
    """JavaScript errors have more than a name and a message; the rest is in ``details``."""
    source = "() => { throw Object.assign(new Error('a', { cause: new TypeError('b') }), { code: 'E1' }) }"
    with pytest.raises(JavaScriptError) as caught:
        real.call(source)
    assert ("E1", "TypeError", "b") == (
        caught.value.details["code"],
        caught.value.details["cause"]["name"],
        caught.value.details["cause"]["message"],
    )
