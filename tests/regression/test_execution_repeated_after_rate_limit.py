"""A pool ran an item again on another session after a lost response, a rate limit and a missing session."""

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


def test_an_item_that_may_have_run_is_not_repeated() -> None:
    """Later errors do not make the first attempt certain: the error keeps ``maybe_executed``."""
    attempted: list[str] = []

    def run(session: Session, code: str) -> str:
        attempted.append(code)
        return session.execute(ExecuteRequest(code, idempotent=True)).stdout

    client, transport = _client(_CREATED, lost("read"), _LIMITED, _MISSING, _DELETED)
    with SessionPool(client, size=1) as pool:
        pool.warm()
        (outcome,) = pool.map(run, "a")
    assert ["a"] == attempted
    assert isinstance(outcome.error, SessionNotFoundError)
    assert (True, 3) == (outcome.error.maybe_executed, outcome.error.attempts)
    assert 1 == transport.calls.count("POST /sessions/create")


def test_a_deletion_that_succeeded_is_not_an_error() -> None:
    """A lost attempt has deleted the session, so the missing session is not an error."""
    client, _ = _client(_CREATED, lost("read"), _LIMITED, _MISSING)
    with SessionPool(client, size=1) as pool:
        (outcome,) = pool.map(lambda session, _: session.delete(), "a")
    assert outcome.ok


def test_attempts_at_a_stream_are_counted() -> None:
    """The attempts that the rate limit rejected count in the error of an interrupted stream."""
    cut = always(responses.event_stream, responses.event("stdout", {"text": "a"}))
    client, _ = _client(_CREATED, _LIMITED, _LIMITED, cut, _DELETED)
    with SessionPool(client, size=1) as pool:
        (outcome,) = pool.map(lambda session, _: list(session.stream("a")), "a")
    assert isinstance(outcome.error, APIConnectionError)
    assert 3 == outcome.error.attempts
