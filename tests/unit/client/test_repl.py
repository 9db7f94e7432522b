"""A REPL on a fake: requests that fail, and when its state counts as lost."""

from __future__ import annotations

from typing import Callable

import pytest

from buntime import (
    APIConnectionError,
    APIStatusError,
    Buntime,
    ExecutionTimeoutError,
    Repl,
    SessionNotFoundError,
)
from buntime.transport import FakeTransport, MiddlewareTransport, Request, Response


def repl_of(fake: FakeTransport, answer: Callable[[str], Response | None] = lambda _: None) -> Repl:
    """Return a REPL whose requests ``answer`` may respond to, by their text, before the fake does."""

    def respond(request: Request, send: Callable[[Request], Response]) -> Response:
        text = request.body.decode() if isinstance(request.body, bytes) else ""
        return answer(text[:400]) or send(request)

    transport = MiddlewareTransport(fake, respond)
    return Buntime(transport=transport, max_retries=0).sessions.create().repl(env={"WORD": "hello"})


def test_a_scripted_repl() -> None:
    """Calls and evaluations are scripted alike; its process runs until the REPL is closed."""
    fake = FakeTransport()
    fake.on_call("1 + 1", returns=2)
    fake.on_call("double", handler=lambda number: 2 * number)
    repl = repl_of(fake)
    before = repl.process
    assert before is None
    assert (2, 6) == (repl.eval("1 + 1"), repl.call("double", 3))
    process = repl.process
    assert process is not None
    assert process.running()
    repl.close()
    repl.close()
    assert not process.running()
    with pytest.raises(RuntimeError, match="closed"):
        repl.eval("1 + 1")
    assert "<Repl of ses_" in repr(repl)


def test_errors_of_the_service_keep_the_state() -> None:
    """The process remains, except when its session has ended."""
    fake = FakeTransport()
    fake.on_call("1", returns=1)
    repl = repl_of(fake)
    with pytest.raises(APIStatusError, match="on_call"):
        repl.eval("unscripted()")
    assert repl.process is not None
    Buntime(transport=fake).sessions.delete(session_id=fake.calls[-1].json["sessionId"])
    with pytest.raises(SessionNotFoundError):
        repl.eval("1")
    assert repl.process is None


@pytest.mark.parametrize("reply", [None, '{\\"kept\\":true}', '{\\"kept\\":false}'])
def test_a_time_limit(reply: str | None) -> None:
    """The message says whether the state is kept, lost, or not known because the service did not respond."""
    result = '{"stdout":"%s","stderr":"","exitCode":%d,"timedOut":%s}'

    def answer(text: str) -> Response | None:
        if "repl_eval" in text:
            return Response(200, [], [(result % ("", 124, "true")).encode()])
        if "repl_stop" not in text:
            return None
        if reply is None:
            raise APIConnectionError("no response", phase="connect")
        return Response(200, [], [(result % (reply, 0, "false")).encode()])

    repl = repl_of(FakeTransport(), answer)
    expected = "not stopped" if reply is None else "is kept" if "true" in reply else "is lost"
    with pytest.raises(ExecutionTimeoutError, match=expected):
        repl.eval("while (true) {}")
    assert (expected == "is lost") == (repl.process is None)
