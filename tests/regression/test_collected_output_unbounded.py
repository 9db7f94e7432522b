"""Results and streams stored all that a program printed, and a call searched it in quadratic time."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from typing import Any, Callable

import pytest

from buntime import Buntime, ExecuteRequest, ExecuteResult, ExecutionFailedError
from buntime.transport import FunctionTransport, Response
from tests.support import responses
from tests.support.cases import in_one_test
from tests.support.scripted import ScriptedTransport, Step, always

LONG = "first" + "x" * 99_990 + "lasts"
CUT = "first" + "x" * 495 + "\n[... 99000 bytes of output left out ...]\n" + "x" * 495 + "lasts"
REPLY = '\x1ebuntime:call {"exit":7}\n'

Run = Callable[[Buntime], ExecuteResult]


def _whole(stdout: str = LONG) -> Step:
    return always(responses.as_json, responses.result(stdout=stdout, stderr=LONG, exitCode=0))


def _events(stdout: str = LONG) -> Step:
    pieces = [stdout[start : start + 700] for start in range(0, len(stdout), 700)]
    return always(
        responses.event_stream,
        *(responses.event("stdout", {"text": piece}) for piece in pieces),
        responses.event("stderr", {"text": LONG}),
        responses.event("exit", {"exitCode": 0}),
    )


def _streamed(client: Buntime, **options: Any) -> ExecuteResult:
    stream = client.stream(session_id="ses_1", code="1", **options)
    assert LONG == "".join(event.text for event in stream if event.kind == "stdout")
    assert (CUT, CUT) == (stream.stdout, stream.stderr)
    return stream.result


def _watched(client: Buntime, **options: Any) -> ExecuteResult:
    printed: list[str] = []
    result = client.execute(session_id="ses_1", code="1", on_stdout=printed.append, **options)
    assert LONG == "".join(printed)
    return result


def _called(client: Buntime, **options: Any) -> ExecuteResult:
    with pytest.raises(ExecutionFailedError, match=r"process\.exit\(7\)") as caught:
        client.sessions.attach("ses_1").call("() => 1", **options)
    assert caught.value.result is not None
    return caught.value.result


def _called_with_callback(client: Buntime, **options: Any) -> ExecuteResult:
    printed: list[str] = []
    result = _called(client, on_stdout=printed.append, **options)
    assert LONG == "".join(printed)
    return result


CASES: dict[str, tuple[Step, Callable[..., ExecuteResult]]] = {
    "execute": (_whole(), lambda client, **options: client.execute(session_id="ses_1", code="1", **options)),
    "execute of events": (_events(), _watched),
    "execute of a single response": (_whole(), _watched),
    "stream": (_events(), _streamed),
    "stream of a single response": (_whole(), _streamed),
    "call": (_whole(LONG + REPLY), _called),
    "call of events": (_events(LONG + REPLY), _called_with_callback),
    "call of a single response": (_whole(LONG + REPLY), _called_with_callback),
}


@in_one_test("case", CASES)
@in_one_test("of_client", [False, True])
def test_the_first_and_the_last_half_are_stored(case: str, of_client: bool) -> None:
    """The bound is an option of each call and of the client; callbacks and loops receive everything."""
    step, run = CASES[case]
    options: dict[str, Any] = {"max_output": 1000}
    client = Buntime(transport=ScriptedTransport(step), **(options if of_client else {}))

    result = run(client, **({} if of_client else options))

    assert (CUT, CUT) == (result.stdout, result.stderr)
    assert (True, True) == (result.stdout_truncated, result.stderr_truncated)


@in_one_test("case", [name for name in CASES if "stream" not in name])
@in_one_test("max_output", [100_000, None])
def test_output_up_to_the_bound_is_complete(case: str, max_output: int | None) -> None:
    """The option of a call wins over that of the client, and ``None`` is no bound."""
    step, run = CASES[case]

    result = run(Buntime(transport=ScriptedTransport(step), max_output=10), max_output=max_output)

    assert (LONG, LONG) == (result.stdout, result.stderr)
    assert (False, False) == (result.stdout_truncated, result.stderr_truncated)


def test_the_bound_is_not_sent() -> None:
    """Request bodies, and with them cassettes, stay the same."""
    transport = ScriptedTransport(_whole())
    client = Buntime(transport=transport)
    client.execute(session_id="ses_1", code="1")
    client.execute(ExecuteRequest("1", session_id="ses_1", max_output=5))
    client.with_options(max_output=3).execute(session_id="ses_1", code="1")

    assert 1 == len({request.body for request in transport.requests})


def test_a_long_stream_needs_little_memory() -> None:
    """A program that prints 1 MB in small events costs a fraction of that."""
    text = responses.event("stdout", {"text": "x" * 47 + "\n"})

    def chunks() -> Iterator[bytes]:
        for _ in range(100):
            yield text * 200
        yield responses.event("exit", {"exitCode": 0})

    response = Response(200, [("Content-Type", "text/event-stream")], chunks())
    client = Buntime(transport=FunctionTransport(lambda _: response), max_output=20_000)
    stream = client.stream(session_id="ses_1", code="1")
    tracemalloc.start()
    try:
        assert 20_000 == sum(1 for _ in stream)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert stream.result.stdout_truncated
    assert peak < 300_000


@pytest.mark.parametrize("printed", ["\x1e", "\x1ebuntime:call \x1e", "\x1ebuntime:call x\n"])
def test_a_call_that_prints_marks(printed: str) -> None:
    """The time is linear: 400 kB of RS took 11 s, and ten times as much took a hundred times as long."""
    stdout = printed * (2_000_000 // len(printed)) + '\n\x1ebuntime:call {"value":15}\n'
    for step, on_stdout in ((_whole(stdout), None), (_events(stdout), len)):
        client = Buntime(transport=ScriptedTransport(step))
        assert 15 == client.sessions.attach("ses_1").call("() => 15", on_stdout=on_stdout)


def test_a_reply_that_is_larger_than_the_bound() -> None:
    """The bound applies to what the function prints, not to what it returns."""
    stdout = f'{LONG}\x1ebuntime:call {{"value":{json.dumps("v" * 50_000)}}}\n'
    for step, on_stdout in ((_whole(stdout), None), (_events(stdout), len)):
        session = Buntime(transport=ScriptedTransport(step), max_output=10).sessions.attach("ses_1")
        assert "v" * 50_000 == session.call("() => 1", on_stdout=on_stdout)


def test_helpers_are_not_bounded() -> None:
    """The bound of the client applies to programs of the user."""
    reply = always(responses.as_json, responses.result(stdout='{"content":"' + "x" * 5000 + '"}\n'))
    missing = always(responses.raw, b"", 404)
    session = Buntime(transport=ScriptedTransport(missing, reply), max_output=10).sessions.attach("ses_1")
    assert "x" * 5000 == session.files.read("a.txt")


def test_output_that_the_service_cut() -> None:
    """Its marker is reported too, and its count is included if the client cuts again."""
    served = "a" * 600 + "\n[... 7000 bytes of output left out ...]\n" + "z" * 600
    client = Buntime(transport=ScriptedTransport(_whole(served)))
    complete = client.execute(session_id="ses_1", code="1")
    assert (served, True) == (complete.stdout, complete.stdout_truncated)
    cut = client.execute(session_id="ses_1", code="1", max_output=1000)
    assert "a" * 500 + "\n[... 7200 bytes of output left out ...]\n" + "z" * 500 == cut.stdout
