"""At the limits of the plan a pool waits, and no item fails."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import Callable

import pytest

from buntime import Buntime, RateLimitError, ServerError, Session, SessionPool
from buntime.transport import FakeTransport, FunctionTransport, Request, Response
from tests.support import responses
from tests.support.blocking_service import BlockingService
from tests.support.scripted import ScriptedTransport, Step, always

_created = always(responses.as_json, responses.CREATED)
_deleted = always(responses.as_json, responses.DELETED)
_result = always(responses.as_json, responses.RESULT)


def _limited(retry_after: str | None = None) -> Callable[[], Response]:
    headers = [] if retry_after is None else [("Retry-After", retry_after)]
    return always(responses.error, 429, "rate_limit_exceeded", headers=headers)


def _refused(
    status: int = 403, code: str = "concurrent_session_limit", *, retry_after: str
) -> Callable[[], Response]:
    return always(responses.error, status, code, headers=[("Retry-After", retry_after)])


def _run(session: Session, code: str) -> str:
    return session.execute(code).stdout


def _free_plan() -> FakeTransport:
    fake = FakeTransport(plan="free")
    fake.on_execute(lambda _: True, handler=lambda execution: execution.code)
    return fake


def test_a_pool_uses_the_sessions_of_the_plan() -> None:
    """The free plan allows ten of twenty, and every item gets one in time."""
    fake = _free_plan()
    together = threading.Barrier(10)
    with Buntime(transport=fake) as client, SessionPool(client, size=20) as pool:
        assert 10 == pool.warm()
        outcomes = list(pool.map(lambda session, _: (together.wait(30), session.id)[1], range(30)))
        assert 10 == len({outcome.result() for outcome in outcomes}) == len(fake.sessions)
    assert {} == fake.sessions


def test_a_pool_waits_for_sessions_of_others(caplog: pytest.LogCaptureFixture) -> None:
    """If all sessions belong to others, the pool waits until one expires on the fake, and logs that once."""
    fake = _free_plan()
    with Buntime(transport=fake) as client, SessionPool(client, size=3) as pool:
        for _ in range(10):
            client.sessions.create(ttl=900)
        assert 0 == pool.warm()
        assert ["a", "b", "c", "d"] == [outcome.result() for outcome in pool.map(_run, "abcd")]
        assert 900 <= fake.monotonic() < 1000
    assert 1 == sum("no more sessions can be open" in record.message for record in caplog.records)
    assert 200 > len(fake.calls)


def test_a_pool_waits_on_a_real_clock_too() -> None:
    """It requests a session again after ``Retry-After``, until the service has capacity."""
    service = BlockingService(plan=1)
    with Buntime(transport=service.transport) as client:
        other = client.sessions.create()
        refusal = _refused(retry_after="0.01")
        service.respond_next("POST /sessions/create", refusal, refusal, refusal, _ending(service, other.id))
        with SessionPool(client, size=2) as pool:
            assert ["a"] == [outcome.result() for outcome in pool.map(_run, "a")]


def _ending(service: BlockingService, session_id: str) -> Callable[[], Response]:
    def respond() -> Response:
        service.end(session_id)
        return service._create()

    return respond


def test_more_sessions_are_requested_periodically() -> None:
    """When others have deleted theirs, the pool grows to its size again."""
    fake = _free_plan()
    with Buntime(transport=fake) as client, SessionPool(client, size=5) as pool:
        others = [client.sessions.create() for _ in range(8)]
        together = threading.Barrier(2)

        def work(session: Session, number: int) -> str:
            together.wait(30)
            return session.id

        assert 2 == len({outcome.result() for outcome in pool.map(work, range(6))})
        for other in others:
            other.delete()
        fake.advance(60)
        everyone = threading.Barrier(5)
        outcomes = pool.map(lambda session, _: (everyone.wait(30), session.id)[1], range(5))
        assert 5 == len({outcome.result() for outcome in outcomes})


def test_a_pool_at_its_limit_only_replaces_sessions() -> None:
    """Each item has a new session, and none of them is refused."""
    fake = _free_plan()
    with Buntime(transport=fake) as client, SessionPool(client, size=12, reuse=False) as pool:
        assert 10 == pool.warm()
        refused = sum(call.status == 403 for call in fake.calls)
        together = threading.Barrier(10)
        # As they finish: in their order, a thread that is late with the first would hold up the others.
        work = pool.map(lambda session, _: (together.wait(30), session.id)[1], range(40), ordered=False)
        assert 40 == len({outcome.result() for outcome in work})
        assert refused == sum(call.status == 403 for call in fake.calls) <= 2


def test_a_refusal_with_another_status_is_recognized() -> None:
    """No code is documented for it, and a 429 would do: items that have a session continue."""
    service = BlockingService()
    refused = _refused(429, "too_many_sessions", retry_after="3600")
    service.respond_next("POST /sessions/create", service._create, refused)
    with Buntime(transport=service.transport) as client, SessionPool(client, size=2) as pool:
        outcomes = pool.map(_run, ["hold a", "hold b", "c"])
        threading.Thread(target=_release_when_refused, args=(service,)).start()
        assert ["hold a", "hold b", "c"] == [outcome.result() for outcome in outcomes]
    assert ["ses_1"] == service.created


def _release_when_refused(service: BlockingService) -> None:
    service.wait_for(lambda: 2 == service.responded.count("POST /sessions/create"))
    service.release()


def test_a_thousand_items_at_a_hundred_requests_a_minute() -> None:
    """No item fails, and it takes no longer than the limit requires, on the fake's clock."""
    fake = _free_plan()
    codes = [f"{number}" for number in range(1000)]
    with Buntime(transport=fake, max_retries=0) as client, SessionPool(client, size=8) as pool:
        assert codes == [outcome.result() for outcome in pool.map(_run, codes)]
        assert 600 <= fake.monotonic() <= 660


@pytest.mark.parametrize("max_retries", [0, 2])
def test_retry_after_is_respected(max_retries: int) -> None:
    """However long and frequent it is, whatever the client's retries; ``on_retry`` is called."""
    heard: list[tuple[type, int]] = []
    transport = ScriptedTransport(
        _limited("5"),
        _created,
        _limited("7"),
        _limited("90"),
        _limited("999999"),
        _result,
        _limited("2"),
        _deleted,
    )
    client = Buntime(
        transport=transport,
        max_retries=max_retries,
        on_retry=lambda error, attempt: heard.append((type(error), attempt)),
    )
    with SessionPool(client, size=1) as pool:
        assert [True] == [outcome.ok for outcome in pool.map(_run, "a")]
    assert [5, 7, 90, 86400, 2] == transport.slept
    assert [(RateLimitError, number) for number in (1, 1, 2, 3, 1)] == heard


def test_each_wait_at_the_rate_limit_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The record has the request and the length: a pool that waits for a day does so visibly."""
    caplog.set_level(logging.INFO, "buntime")
    transport = ScriptedTransport(_created, _limited("999999"), _limited(), _result, _deleted)
    with SessionPool(Buntime(transport=transport), size=1) as pool:
        list(pool.map(_run, "a"))
    assert [
        (logging.INFO, "POST /execute: rate limit (429); requests of the pool wait 86400.0 s"),
        (logging.INFO, "POST /execute: rate limit (429); requests of the pool wait 2.0 s"),
    ] == [(record.levelno, record.getMessage()) for record in caplog.records]


def test_a_wait_at_the_rate_limit_is_not_part_of_the_deadline() -> None:
    """This holds for a call of one request, and for one of several requests that share a deadline."""

    class Limited(FakeTransport):
        def send(self, request: Request, /) -> Response:
            path = request.path
            if path in limited:
                limited.remove(path)
                return _limited("60")()
            return super().send(request)

    limited = {"/execute", "/files/write"}
    fake = Limited()
    fake.on_execute(lambda _: True, handler=lambda execution: execution.code)
    with Buntime(transport=fake, deadline=10) as client, SessionPool(client, size=1) as pool:
        assert "a" == next(pool.map(_run, "a")).result()
        (outcome,) = pool.map(lambda session, text: session.files.write("a", text).size, "b")
        assert 1 == outcome.result()
    assert set() == limited
    assert 120 == fake.monotonic()


def test_threads_refused_concurrently_wait_once() -> None:
    """The wait starts when the requests were sent, on a clock that another thread has moved since."""
    together = threading.Barrier(4)
    refusals = [_limited("60")] * 4

    class Limited(FakeTransport):
        def send(self, request: Request, /) -> Response:
            if request.path == "/execute" and refusals:
                refusal = refusals.pop()
                together.wait(30)
                return refusal()
            return super().send(request)

    limited = Limited()
    limited.on_execute(lambda _: True, handler=lambda execution: execution.code)
    with Buntime(transport=limited) as client, SessionPool(client, size=4) as pool:
        assert list("abcd") == [outcome.result() for outcome in pool.map(_run, "abcd")]
        assert 60 == limited.monotonic()


def test_without_retry_after_the_pauses_grow() -> None:
    """From a second, or the client's ``retry_delay``, to half a minute; every request follows a pause."""
    steps = [_created, *[_limited()] * 4, _limited("0"), *[_limited()] * 2, _result, _deleted]
    transport = ScriptedTransport(*steps)
    with SessionPool(Buntime(transport=transport, retry_delay=0), size=1) as pool:
        list(pool.map(_run, "a"))
    assert [1, 2, 4, 8, 16, 30, 30] == transport.slept


def test_all_requests_wait_after_one_is_refused() -> None:
    """The other sessions send nothing meanwhile, except deletions, so that no session is left."""
    service, waiting = BlockingService(), threading.Event()
    service.respond_next("POST /execute", _limited("1000"))
    client = Buntime(transport=service.transport, on_retry=lambda _error, _attempt: waiting.set())

    def items() -> Iterator[str]:
        yield "first"
        assert waiting.wait(30)
        yield from "abc"
        raise KeyboardInterrupt

    with SessionPool(client, size=4) as pool, pytest.raises(KeyboardInterrupt):
        list(pool.map(_run, items()))
    assert ["POST /sessions/create", "POST /execute", "DELETE /sessions/ses_1"] == list(
        dict.fromkeys(service.calls)
    )
    assert 1 == service.calls.count("POST /execute")


def test_waiting_at_a_limit_ends_with_the_call() -> None:
    """Whether it waits for requests, for a session, or for the next attempt."""
    for step in (_limited("1000"), _retry(503, "1000"), _refused(retry_after="1000")):
        waiting = threading.Event()
        client = Buntime(transport=FunctionTransport(_responding(step, waiting)), max_retries=5)

        def items(waiting: threading.Event = waiting) -> Iterator[str]:
            yield "a"
            assert waiting.wait(30)
            raise KeyboardInterrupt

        pool = SessionPool(client, size=2)
        with pytest.raises(KeyboardInterrupt):
            list(pool.map(_run, items()))
        pool.close()


def _retry(status: int, seconds: str) -> Step:
    return always(responses.error, status, "unavailable", headers=[("Retry-After", seconds)])


def _responding(step: Step, waiting: threading.Event) -> Callable[[Request], Response]:
    def respond(_request: Request) -> Response:
        waiting.set()
        assert callable(step)
        return step()

    return respond


def test_other_error_responses_are_raised() -> None:
    """Only the client's own retries apply to them."""
    unavailable = always(responses.error, 503, "unavailable")
    transport = ScriptedTransport(_created, unavailable, unavailable, unavailable, _deleted)
    with SessionPool(Buntime(transport=transport), size=1) as pool:
        (outcome,) = pool.map(_run, "a")
    assert isinstance(outcome.error, ServerError)
    assert 3 == outcome.error.attempts


def test_nothing_is_logged_within_the_limits(caplog: pytest.LogCaptureFixture) -> None:
    """A pool that never waits is silent."""
    caplog.set_level(logging.INFO)
    fake = _free_plan()
    with Buntime(transport=fake) as client, SessionPool(client, size=10) as pool:
        list(pool.map(_run, "abc"))
    assert [] == caplog.records
