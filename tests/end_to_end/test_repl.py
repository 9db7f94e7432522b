"""A REPL on a real Bun: behaviour that a model cannot show."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from buntime import (
    APIConnectionError,
    Buntime,
    ExecutionFailedError,
    ExecutionTimeoutError,
    JavaScriptError,
    Repl,
    Session,
)
from buntime.transport import LocalTransport, MiddlewareTransport, Request, Response
from tests.support import effort
from tests.support.forks import needs_fork, run_in_fork


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    """Return a session of this machine."""
    with Buntime(transport=LocalTransport(), max_retries=0) as client, client.sessions.create() as session:
        yield session


@pytest.fixture(scope="module", autouse=True)
def shared(session: Session) -> Iterator[Repl]:
    """Return a REPL for tests that leave its process running; it runs before the tests."""
    with session.repl(env={"WORD": "hello"}) as repl:
        repl.eval("1")
        yield repl


@pytest.fixture
def repl(session: Session) -> Iterator[Repl]:
    """Return a new REPL."""
    with session.repl() as repl:
        yield repl


VALUES: list[tuple[str, Any]] = [
    ("process.env.WORD", "hello"),
    ("", None),
    ("// only a comment", None),
    ("{a: 1}", {"a": 1}),
    ("let a1 = 1, b1 = 2", None),
    ("a1, b1", 2),
    ("a1 = 5", 5),
    ("const { p, q: [r] } = { p: 1, q: [2] }", None),
    ("[p, r]", [1, 2]),
    ("class Named {}", None),
    ("enum Color { Red, Green }", None),
    ("Color.Green", 1),
    ("namespace Space { export const inner = 4 }", None),
    ("Space.inner", 4),
    ("interface Shape { side: number }", None),
    ("const cast = <T>(value: T) => value", None),
    ("cast<number>(3)", 3),
    ("import fs, { sep as separator } from 'node:fs'; import * as paths from 'node:path'", None),
    ("typeof fs.readFileSync + paths.sep", "function/"),
    ("if (true) 5", None),
    ("for (var i = 0; i < 3; i++) {}", None),
    ("i", 3),
    ("(async () => [await 1, 2])()", [1, 2]),
    ("export const exported = 6", None),
    ("exported", 6),
    ("var first = outer(); function outer() { return nested() } function nested() { return 7 }", None),
    ("function nested() { return 8 }", None),
    ("outer()", 8),
    ("function text() { return `\n  }\nfunction other() {` }\ntext()", "\n  }\nfunction other() {"),
    ("function* count() { yield 1; yield 2 }; [...count()]", [1, 2]),
    ("require('node:os').EOL", "\n"),
    ("(await import('./lib.ts')).default", "of the workspace"),
]


def test_values_of_statements(session: Session, shared: Repl) -> None:
    """The value is that of an expression at the end; every declaration stays."""
    session.files.write("lib.ts", "export default 'of the workspace' as string")
    assert VALUES == [(source, shared.eval(source)) for source, _ in VALUES]


DECLARES = "const broken = (value: number) => {\n  const text = `a\n b ${value}`;\n  return null.x;\n};"
LINES = [
    # the source, the name of the error, and the line of each frame
    ("// throw new Error('no')\ntype A = { a: string };\n\nthrow new TypeError('yes')", "TypeError", [4]),
    ("await 1;\n\n\nmissing.value", "ReferenceError", [4]),
    ("// another evaluation\n\n[1].map(broken)", "TypeError", [4, 3]),
    ("let one = 1;\nlet two = ;", "SyntaxError", [2]),
    (
        "class Fails {\n  static run() {\n    throw new Error('in a method');\n  }\n}\nFails.run()",
        "Error",
        [3, 6],
    ),
    ("await Promise.all([\n  1,\n  Promise.reject(new RangeError('in a list')),\n])", "RangeError", [3]),
]


def test_errors_have_the_lines_of_the_source(shared: Repl) -> None:
    """The lines of a stack are those of the evaluations as they were passed, types and comments included."""
    shared.eval(DECLARES)
    for source, name, lines in LINES:
        with pytest.raises(JavaScriptError) as caught:
            shared.eval(source)
        frames = [line for line in caught.value.stack.splitlines() if "eval-" in line]
        assert (name, lines) == (caught.value.name, [int(line.rsplit(":", 2)[1]) for line in frames])


@pytest.mark.parametrize("source", ["return 5", "await 1; return 7", "if (true) { return 2 }\n1"])
def test_a_return_at_the_top_level_is_an_error(shared: Repl, source: str) -> None:
    """It is not an evaluation without a value; one in a function is its value."""
    with pytest.raises(JavaScriptError, match="return outside of a function: end with an expression"):
        shared.eval(source)
    assert 3 == shared.eval("(() => { return 3 })() // return")


def test_a_time_limit_keeps_the_state(shared: Repl) -> None:
    """An evaluation that waits is abandoned; what it printed is in the error, not in the next result."""
    shared.eval("var waited = 1")
    with pytest.raises(ExecutionTimeoutError, match="the state is kept") as caught:
        shared.eval("console.log('begins'); await Bun.sleep(60_000)", timeout=1)
    assert caught.value.result is not None
    assert "begins\n" == caught.value.result.stdout
    printed: list[str] = []
    assert 1 == shared.eval("waited", on_stdout=printed.append)
    assert [] == printed


def test_code_that_blocks_loses_the_state(repl: Repl) -> None:
    """Its process is killed, as for an endless loop, and the next evaluation starts another."""
    repl.eval("var lost = 1")
    with pytest.raises(ExecutionTimeoutError, match="the state is lost"):
        repl.eval("Bun.sleepSync(300_000)", timeout=1)
    assert repl.process is None
    assert "undefined" == repl.eval("typeof lost")


def test_the_end_of_the_process(repl: Repl) -> None:
    """It is an error once, during an evaluation or before; then another process starts."""
    printed: list[str] = []
    repl.eval("setTimeout(() => console.log('between'), 1); null", on_stdout=printed.append)
    with pytest.raises(ExecutionFailedError, match="exit code 3") as caught:
        repl.eval("await Bun.sleep(20); process.exit(3)")
    assert caught.value.result is not None
    assert "between\n" == "".join([*printed, caught.value.result.stdout])
    assert 2 == repl.eval("1 + 1")
    assert repl.process is not None
    repl.process.kill()
    with pytest.raises(ExecutionFailedError, match="exit code 137"):
        repl.eval("1")
    assert 2 == repl.eval("1 + 1")
    repl.close()
    with pytest.raises(RuntimeError, match="closed"):
        repl.eval("1")


def test_errors_elsewhere_in_the_process(shared: Repl) -> None:
    """One that is not caught fails the evaluation that runs; between evaluations it is output."""
    with pytest.raises(JavaScriptError, match="in a timer"):
        shared.eval("setTimeout(() => { throw new Error('in a timer') }, 1); await Bun.sleep(60_000)")
    errors: list[str] = []
    shared.eval("setTimeout(() => { throw new Error('between') }, 1); null", on_stderr=errors.append)
    assert shared.process is not None
    next(event for event in shared.process.follow() if "between" in event.text)
    shared.eval("null", on_stderr=errors.append)
    assert "between" in "".join(errors)


def test_an_interrupt_stops_the_evaluation(shared: Repl) -> None:
    """A Ctrl-C, here in a callback, keeps the state, and the next evaluation does not wait."""

    def interrupt(_: str) -> None:
        with pytest.raises(RuntimeError, match="callback"):
            shared.eval("1")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shared.eval("var kept = 7; console.log('up'); await Bun.sleep(60_000)", on_stdout=interrupt)
    assert 7 == shared.eval("kept")


def test_threads_take_turns(shared: Repl) -> None:
    """Concurrent evaluations run one after another."""
    shared.eval("var running = 0, most = 0")
    source = "most = Math.max(most, ++running); await Bun.sleep(5); running--; null"
    with ThreadPoolExecutor(4) as threads:
        assert [None] * 4 == list(threads.map(lambda _: shared.eval(source), range(4)))
    assert 1 == shared.eval("most")


def test_output_of_other_processes_and_of_any_size(shared: Repl) -> None:
    """It is complete and in order, also if it is larger than what is stored between evaluations."""
    sizes: list[int] = []
    for _ in range(2):
        shared.eval(
            "process.stdout.write('a'.repeat(1_500_000)); await Bun.$`echo done`; null",
            on_stdout=lambda text: sizes.append(len(text)),
        )
    assert 2 * 1_500_005 == sum(sizes)


def test_an_evaluation_whose_response_is_lost_is_evaluated_once() -> None:
    """It is sent again, and has the value of its only evaluation."""
    sent: list[bytes] = []

    def lose(request: Request, send: Callable[[Request], Response]) -> Response:
        response = send(request)
        if isinstance(request.body, bytes) and b"repl_eval" in request.body[:200]:
            sent.append(request.body)
            if len(sent) % 2:
                response.close()
                raise APIConnectionError("the response is lost", phase="read")
        return response

    transport = MiddlewareTransport(LocalTransport(), lose)
    with Buntime(transport=transport, retry_delay=0.01) as client, client.sessions.create() as session:
        with session.repl() as repl:
            assert None is repl.eval("var count = 0")
            assert 1 == repl.eval("++count")
            assert 2 == repl.eval("++count")
        assert (6, 3) == (len(sent), len(set(sent)))


@needs_fork
def test_a_forked_process_cannot_use_it(shared: Repl) -> None:
    """It raises an error there, and its block closes nothing."""
    shared.eval("1")

    def evaluate() -> object:
        with shared:
            return shared.eval("1")

    assert run_in_fork(evaluate).startswith("RuntimeError: this REPL belongs to the process")
    assert 1 == shared.eval("1")


names = st.sampled_from("abcd")
numbers = st.integers(-5, 5)
atoms = st.one_of(numbers.map(str), names.map(lambda name: f"(typeof {name} === 'number' ? {name} : 0)"))
sums = st.tuples(atoms, st.sampled_from("+-*"), atoms).map(" ".join)
statements = st.one_of(
    st.tuples(names, sums).map(lambda pair: f"var {pair[0]} = {pair[1]};"),
    st.tuples(names, sums).map(lambda pair: f"var {{ {pair[0]} }} = await {{ {pair[0]}: {pair[1]} }};"),
    st.tuples(names, sums).map(lambda pair: f"var {pair[0]}: number | string = {pair[1]}; // {pair[0]}"),
    st.tuples(names, sums).map(lambda pair: f"function f_{pair[0]}() {{ return {pair[1]} }}"),
    names.map(lambda name: f"log.push(typeof f_{name} === 'function' ? f_{name}() : '{name}');"),
    sums.map(lambda value: f"log.push({value})"),
    st.tuples(names, sums).map(
        lambda pair: f"for (let {pair[0]} = 0; {pair[0]} < 2; {pair[0]}++) log.push({pair[1]});"
    ),
)


@settings(max_examples=effort.examples(4), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(statements, min_size=3, max_size=8, unique_by=lambda text: text.split("(")[0]))
def test_evaluations_are_like_one_program(session: Session, shared: Repl, sources: list[str]) -> None:
    """Declarations and expressions that are evaluated one by one have the results of one program.

    Functions are declared once and before their use: in one program they are hoisted.
    """
    functions = [source for source in sources if source.startswith("function")]
    ordered = functions + [source for source in sources if source not in functions]
    shared.eval(
        "for (const name of 'abcd') { delete globalThis[name]; delete globalThis['f_' + name] } var log = [];"
    )
    for source in ordered:
        shared.eval(source)
    program = "\n".join(["var log = [];", *ordered, "console.log(JSON.stringify(log))"])
    result = session.execute(program, check=True)
    assert json.loads(result.stdout) == shared.eval("JSON.parse(JSON.stringify(log))")
