"""What a pool lost, was refused at the rate limit and then did not find, was executed again elsewhere."""

from __future__ import annotations

from buntime import APIConnectionError, Buntime, ExecuteRequest, Session, SessionNotFoundError, SessionPool
from tests.support import responses
from tests.support.scripted import ScriptedTransport, Step, always, lost

_CREATED = always(responses.as_json, responses.CREATED)
_DELETED = always(responses.as_json, responses.DELETED)
_LIMITED = always(responses.error, 429, "rate_limit_exceeded", headers=[("Retry-After", "5")])
_MISSING = always(responses.error, 404, "session_not_found")


def _client(*steps: Step) -> tuple[Buntime, ScriptedTransport]:
    transport = ScriptedTransport(*steps)
    return Buntime(transport=transport, max_retries=1, retry_delay=0), transport


def test_what_may_have_been_executed_is_not_executed_again() -> None:
    """The refusals in between do not take back that it may have been; the error says so."""
    called: list[str] = []

    def run(session: Session, code: str) -> str:
        called.append(code)
        return session.execute(ExecuteRequest(code, idempotent=True)).stdout

    client, transport = _client(_CREATED, lost("read"), _LIMITED, _MISSING, _DELETED)
    with SessionPool(client, size=1) as pool:
        pool.warm()
        (outcome,) = pool.map(run, "a")
    assert ["a"] == called
    assert isinstance(outcome.error, SessionNotFoundError)
    assert (True, 3) == (outcome.error.maybe_executed, outcome.error.attempts)
    assert 1 == transport.calls.count("POST /sessions/create")


def test_a_deletion_that_was_made_is_no_error() -> None:
    """That there is no session is the doing of the attempt that was lost."""
    client, _ = _client(_CREATED, lost("read"), _LIMITED, _MISSING)
    with SessionPool(client, size=1) as pool:
        (outcome,) = pool.map(lambda session, _: session.delete(), "a")
    assert outcome.ok


def test_attempts_at_a_stream_are_counted() -> None:
    """Those that were refused are in the error of a stream that is cut."""
    cut = always(responses.event_stream, responses.event("stdout", {"text": "a"}))
    client, _ = _client(_CREATED, _LIMITED, _LIMITED, cut, _DELETED)
    with SessionPool(client, size=1) as pool:
        (outcome,) = pool.map(lambda session, _: list(session.stream("a")), "a")
    assert isinstance(outcome.error, APIConnectionError)
    assert 3 == outcome.error.attempts
