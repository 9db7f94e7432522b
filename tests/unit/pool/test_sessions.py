"""The sessions of a pool: created, reused, replaced; and no code is executed twice."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import Any, Callable

import pytest

from buntime import (
    APIConnectionError,
    AuthenticationError,
    Buntime,
    ExecuteRequest,
    ResourceLimits,
    Session,
    SessionNotFoundError,
    SessionPool,
)
from buntime.transport import FakeTransport, Response, ScriptedExecution
from tests.support import responses
from tests.support.blocking_service import BlockingService
from tests.support.cases import in_one_test
from tests.support.scripted import lost


@pytest.fixture
def service() -> BlockingService:
    """Return a service whose executions can block."""
    return BlockingService()


@pytest.fixture
def client(service: BlockingService) -> Iterator[Buntime]:
    """Return a client of the service that does not retry."""
    with Buntime(transport=service.transport, max_retries=0, retry_delay=0) as client:
        yield client


def _run(session: Session, code: str) -> str:
    return session.execute(code).stdout


def _fake() -> FakeTransport:
    fake = FakeTransport()
    fake.on_execute(lambda _: True, handler=lambda execution: execution.code)
    return fake


def _failing(error: Exception) -> Callable[[], Response]:
    def respond() -> Response:
        raise error

    return respond


def test_an_item_runs_again_if_its_session_had_ended(service: BlockingService, client: Buntime) -> None:
    """Whether it expired or was deleted, the code cannot have been executed; the item gets a new session."""
    with SessionPool(client, size=2) as pool:
        pool.warm()
        for session_id in list(service.created):
            service.end(session_id)
        assert ["a", "b", "c"] == [outcome.result() for outcome in pool.map(_run, "abc")]
        assert {"ses_1", "ses_2"} & {session_id for session_id, _ in service.executed}
        assert 2 < len(service.created)
        assert not {"DELETE /sessions/ses_1", "DELETE /sessions/ses_2"} & set(service.calls)


def test_requests_run_again_too(service: BlockingService, client: Buntime) -> None:
    """Each is executed once, in a session that exists."""
    with SessionPool(client, size=1) as pool:
        pool.warm()
        service.end("ses_1")
        (outcome,) = pool.execute([ExecuteRequest("a")])
    assert "a" == outcome.result().stdout
    assert [("ses_1", "a"), ("ses_2", "a")] == service.executed


def test_a_new_session_that_is_not_found_is_an_error(service: BlockingService, client: Buntime) -> None:
    """A new session cannot have ended since the previous item, so further attempts would never succeed."""
    service.respond_next("POST /execute", *[lambda: responses.error(404, "session_not_found")] * 2)
    with SessionPool(client, size=1) as pool:
        pool.warm()
        (outcome,) = pool.map(_run, "a")
    assert isinstance(outcome.error, SessionNotFoundError)
    assert [("ses_1", "a"), ("ses_2", "a")] == service.executed


@pytest.mark.parametrize(
    "failure",
    [
        _failing(lost("read")),
        _failing(lost("send")),
        lambda: responses.error(500, "execution_lost"),
        lambda: responses.error(408, "execution_timeout"),
        lambda: responses.raw(b"<html>", headers=[("Content-Type", "text/html")]),
    ],
)
def test_a_possibly_executed_item_is_not_repeated(
    service: BlockingService, client: Buntime, failure: Callable[[], Response]
) -> None:
    """The error is the outcome. The old execution could disturb the next item, which gets a new session."""
    service.respond_next("POST /execute", failure)
    with SessionPool(client, size=1) as pool:
        one, two = pool.map(_run, "ab")
        assert {"ses_2"} == service.open
    assert getattr(one.error, "maybe_executed", None)
    assert "b" == two.result()
    assert [("ses_1", "a"), ("ses_2", "b")] == service.executed


@pytest.mark.parametrize(
    "failure", [_failing(lost("connect")), lambda: responses.error(400, "invalid_request")]
)
def test_a_session_in_good_state_is_kept(
    service: BlockingService, client: Buntime, failure: Callable[[], Response]
) -> None:
    """As after an error response, a failed connection, or an error of the function itself."""
    service.respond_next("POST /execute", failure)
    with SessionPool(client, size=1) as pool:
        one, two, three = pool.map(lambda session, code: _run(session, code) and 1 / (code != "b"), "abc")
    assert (False, False, True) == (one.ok, two.ok, three.ok)
    assert ["ses_1"] == service.created


def test_a_full_session_is_replaced(service: BlockingService, client: Buntime) -> None:
    """It has no space for the next item."""
    service.respond_next("POST /execute", lambda: responses.error(507, "disk_full"))
    with SessionPool(client, size=1) as pool:
        list(pool.map(_run, "ab"))
    assert [("ses_1", "a"), ("ses_2", "b")] == service.executed


def test_a_function_that_has_executed_code_is_not_called_again(
    service: BlockingService, client: Buntime
) -> None:
    """Its session ended between its first request and its second."""
    called: list[str] = []

    def twice(session: Session, code: str) -> str:
        called.append(code)
        _run(session, code)
        service.end(session.id)
        return _run(session, code)

    with SessionPool(client, size=1) as pool:
        pool.warm()
        (outcome,) = pool.map(twice, "a")
        assert isinstance(outcome.error, SessionNotFoundError)
        assert ["a"] == called
        assert "b" == next(pool.map(_run, "b")).value


def test_a_function_refused_twice_is_not_called_again(service: BlockingService, client: Buntime) -> None:
    """The pool cannot know its other effects in between."""
    called: list[str] = []

    def stubborn(session: Session, code: str) -> str:
        called.append(code)
        with pytest.raises(SessionNotFoundError):
            _run(session, code)
        return _run(session, code)

    with SessionPool(client, size=1) as pool:
        pool.warm()
        service.end("ses_1")
        (outcome,) = pool.map(stubborn, "a")
    assert isinstance(outcome.error, SessionNotFoundError)
    assert ["a"] == called


def test_a_function_that_raises_another_error_is_not_called_again(
    service: BlockingService, client: Buntime
) -> None:
    """That error is the function's own."""
    called: list[str] = []

    def translate(session: Session, code: str) -> str:
        called.append(code)
        try:
            return _run(session, code)
        except SessionNotFoundError as error:
            raise LookupError(code) from error

    with SessionPool(client, size=1) as pool:
        pool.warm()
        service.end("ses_1")
        one, two = pool.map(translate, "ab")
    assert isinstance(one.error, LookupError)
    assert "b" == two.value
    assert ["a", "b"] == called


def test_an_error_of_a_session_outside_the_pool_is_the_items(
    service: BlockingService, client: Buntime
) -> None:
    """The function requested a separate session that the pool does not manage."""
    called: list[str] = []

    def elsewhere(_session: Session, code: str) -> str:
        called.append(code)
        return _run(client.sessions.attach("ses_of_another"), code)

    with SessionPool(client, size=1) as pool:
        pool.warm()
        (outcome,) = pool.map(elsewhere, "a")
    assert isinstance(outcome.error, SessionNotFoundError)
    assert ["a"] == called
    assert set() == service.open


def test_an_ended_session_is_detected_if_the_function_hides_it(
    service: BlockingService, client: Buntime
) -> None:
    """The next item immediately gets another session, even if the function deleted it itself."""

    def hiding(session: Session, code: str) -> str:
        if code == "deletes":
            session.delete()
        elif code == "hides":
            service.end(session.id)
            with pytest.raises(SessionNotFoundError):
                session.info()
        return session.id

    with SessionPool(client, size=1) as pool:
        ids = [outcome.value for outcome in pool.map(hiding, ["deletes", "hides", "", ""])]
    assert ["ses_1", "ses_2", "ses_3", "ses_3"] == ids


def test_a_session_belongs_to_the_pool(service: BlockingService, client: Buntime) -> None:
    """Leaving its block in the function deletes nothing."""

    def block(session: Session, code: str) -> str:
        with session:
            return _run(session, code)

    with SessionPool(client, size=1) as pool:
        list(pool.map(block, "ab"))
        assert ["ses_1"] == service.created
    assert 1 == service.calls.count("DELETE /sessions/ses_1")


def test_a_session_is_replaced_after_an_interrupted_stream(service: BlockingService, client: Buntime) -> None:
    """Its execution may still run."""
    cut = responses.event_stream(responses.event("stdout", {"text": "a"}))
    service.respond_next("POST /execute", lambda: cut)

    def stream(session: Session, _item: str) -> str:
        with session.stream("a") as stream:
            return "".join(event.text for event in stream)

    with SessionPool(client, size=1) as pool:
        (outcome,) = pool.map(stream, "a")
        assert isinstance(outcome.error, APIConnectionError)
        assert "ses_2" == next(pool.map(lambda session, _: session.id, "b")).value


@pytest.mark.parametrize("read", [0, 1, 9])
def test_a_session_is_replaced_after_a_stream_left_early(read: int) -> None:
    """The next item has another session, unless the stream was read to its end."""
    fake = _fake()

    def stream(session: Session, _item: str) -> str:
        with session.stream("a") as stream:
            for _ in zip(range(read), stream):
                pass
        return session.id

    with Buntime(transport=fake) as client, SessionPool(client, size=1) as pool:
        one, two = (outcome.result() for outcome in pool.map(stream, "ab"))
        assert (read == 9) == (one == two)
    assert {} == fake.sessions


@in_one_test(
    ("timeout", "passes", "reused"),
    [(None, 230, True), (None, 241, False), (300, 140, True), (300, 151, False)],
)
def test_a_session_near_its_end_is_replaced(timeout: int | None, passes: float, reused: bool) -> None:
    """It needs the execution's timeout and half a minute; of a short lifetime, half can be used."""
    fake = _fake()
    with Buntime(transport=fake) as client, SessionPool(client, size=1, ttl=300) as pool:
        pool.warm()
        before = list(fake.sessions)
        fake.advance(passes)
        (outcome,) = pool.execute([ExecuteRequest("a", timeout=timeout)])
        assert "a" == outcome.result().stdout
        assert reused == (before == list(fake.sessions))
        assert 1 == len(fake.sessions)


def test_a_session_that_has_expired_is_replaced() -> None:
    """Before the next item starts, so no request fails."""
    fake = _fake()
    with Buntime(transport=fake) as client, SessionPool(client, size=2, ttl=300) as pool:
        pool.warm()
        fake.advance(1000)
        assert ["a", "b"] == [outcome.result() for outcome in pool.map(_run, "ab")]
    assert {200} == {call.status for call in fake.calls if call.path == "/execute"}


def test_an_item_whose_session_may_have_ended_during_it_is_not_run_again() -> None:
    """The session had expired when the request failed, perhaps before the function was called."""
    fake = _fake()
    called: list[str] = []

    def slow(session: Session, code: str) -> str:
        called.append(code)
        fake.advance(300)
        return _run(session, code)

    with Buntime(transport=fake) as client, SessionPool(client, size=1, ttl=300) as pool:
        pool.warm()
        (outcome,) = pool.map(slow, "a")
    assert isinstance(outcome.error, SessionNotFoundError)
    assert ["a"] == called


def test_sessions_are_created_with_the_arguments_of_the_pool(
    service: BlockingService, client: Buntime
) -> None:
    """This applies to each of them."""
    limits = ResourceLimits(memory=2048)
    with SessionPool(client, 2, ttl=600, metadata={"job": 7}, resource_limits=limits) as pool:
        pool.warm()
    created = [body for call, body in zip(service.calls, service.bodies) if call == "POST /sessions/create"]
    assert [{"ttl": 600, "metadata": {"job": 7}, "resourceLimits": {"memory": 2048}}] * 2 == created


def test_a_session_that_cannot_be_created_is_the_items_error(
    service: BlockingService, client: Buntime
) -> None:
    """Each item has its own attempt: the next one tries again."""
    service.respond_next("POST /sessions/create", lambda: responses.error(401, "unauthorized"))
    with SessionPool(client, size=1) as pool:
        one, two = pool.map(_run, "ab")
    assert isinstance(one.error, AuthenticationError)
    assert "b" == two.value


def test_state_stays_in_a_session() -> None:
    """An item reads the files of earlier items, unless sessions are not reused."""
    fake = FakeTransport()

    def note(execution: ScriptedExecution) -> str:
        text = execution.workspace.read("note").decode() if "note" in execution.workspace.snapshot() else ""
        execution.workspace.write("note", text.encode() + (execution.code or "").encode())
        return text

    fake.on_execute(lambda _: True, handler=note)
    with Buntime(transport=fake) as client:
        with SessionPool(client, size=1) as pool:
            assert ["", "a", "ab"] == [outcome.value for outcome in pool.map(_run, "abc")]
        with SessionPool(client, size=1, reuse=False) as pool:
            assert ["", "", ""] == [outcome.value for outcome in pool.map(_run, "abc")]
            assert {} == fake.sessions


def test_sessions_are_created_in_advance(service: BlockingService, client: Buntime) -> None:
    """As many as are missing, concurrently, up to the size."""
    together = threading.Barrier(3)

    def create() -> Response:
        together.wait(30)
        return service._create()

    service.respond_next("POST /sessions/create", *[create] * 3)
    with SessionPool(client, size=4) as pool:
        assert 3 == pool.warm(3)
        assert 3 == pool.warm(2)
        assert 4 == pool.warm()
        assert 4 == pool.warm(9)
        assert 4 == pool.size == len(service.created)
        list(pool.map(_run, "abcdefgh"))
        assert 4 == len(service.created)


def test_sessions_created_in_advance_are_kept_without_reuse(
    service: BlockingService, client: Buntime
) -> None:
    """They are still unused; each is deleted after its first item."""
    with SessionPool(client, size=2, reuse=False) as pool:
        assert 2 == pool.warm()
        assert {"ses_1", "ses_2"} == service.open
        list(pool.map(_run, "ab"))
        assert {"ses_1", "ses_2"} == {session_id for session_id, _ in service.executed}
        assert set() == service.open


def test_an_error_in_advance_is_raised(service: BlockingService, client: Buntime) -> None:
    """The other sessions are created first, and kept."""
    service.respond_next("POST /sessions/create", lambda: responses.error(401, "unauthorized"))
    with SessionPool(client, size=3) as pool:
        with pytest.raises(AuthenticationError):
            pool.warm()
        assert 2 == len(service.open)
        assert 3 == pool.warm()
    assert set() == service.open


def test_a_session_is_borrowed_for_a_block(service: BlockingService, client: Buntime) -> None:
    """By one block at a time, and reused after it; one in doubtful state is replaced."""
    with SessionPool(client, size=2) as pool:
        with pool.session() as one, pool.session() as two:
            assert {"ses_1", "ses_2"} == {one.id, two.id}
        with pool.session() as reused:
            assert reused.id in {"ses_1", "ses_2"}
        service.respond_next("POST /execute", _failing(lost("read")))
        with pytest.raises(APIConnectionError), pool.session() as broken:
            broken.execute("a")
        assert broken.id not in service.open
        with pytest.raises(KeyboardInterrupt), pool.session() as interrupted:
            raise KeyboardInterrupt
        assert interrupted.id not in service.open


def test_a_block_waits_for_a_session(service: BlockingService, client: Buntime) -> None:
    """Until another block returns one."""
    order: list[str] = []
    with SessionPool(client, size=1) as pool:
        with pool.session():
            waiting = threading.Thread(target=lambda: order.extend(o.item for o in pool.map(_run, "a")))
            waiting.start()
            order.append("given back")
        waiting.join()
    assert ["given back", "a"] == order
    assert ["ses_1"] == service.created


def test_the_longest_waiting_thread_is_served_first(service: BlockingService, client: Buntime) -> None:
    """A call with many items does not keep a block waiting until its last."""

    class ObservedQueue(deque[object]):
        def append(self, ticket: object) -> None:
            super().append(ticket)
            with service._changed:
                service._changed.notify_all()

    with SessionPool(client, size=1) as pool:
        queue = pool._registry._waiting = ObservedQueue()

        def borrow() -> None:
            with pool.session() as session:
                _run(session, "between")

        def items() -> Iterator[str]:
            yield "hold"
            service.wait_until_blocked(1)
            thread.start()
            service.wait_for(lambda: 1 == len(queue))
            service.release()
            yield from "abc"

        thread = threading.Thread(target=borrow)
        list(pool.map(_run, items()))
        thread.join()
    assert ["hold", "between", "a", "b", "c"] == service.codes


def test_the_client_deletes_what_it_created() -> None:
    """The sessions also belong to the client, so ``delete_on_close`` deletes any that are left."""
    fake = _fake()
    with Buntime(transport=fake, delete_on_close=True) as client:
        pool = SessionPool(client, size=2)
        pool.warm()
        pool.close()
        assert 2 == sum(call.method == "DELETE" for call in fake.calls)
    assert 2 == sum(call.method == "DELETE" for call in fake.calls)


@in_one_test("call", ["call", "files", "info", "stream"])
def test_an_item_runs_again_whatever_its_first_request(call: str) -> None:
    """It is repeated if the response is that the session has ended."""
    fake = _fake()
    fake.on_call("() => 1", returns=1)
    functions: dict[str, Callable[[Session], Any]] = {
        "call": lambda session: session.call("() => 1"),
        "files": lambda session: session.files.write("a", "b").size,
        "info": lambda session: len(session.info().id) // len(session.id),
        "stream": lambda session: len(list(session.stream("a"))),
    }
    with Buntime(transport=fake) as client, SessionPool(client, size=1) as pool:
        pool.warm()
        for session_id in fake.sessions:
            client.sessions.delete(session_id)
        (outcome,) = pool.map(lambda session, _: functions[call](session), "a")
    assert 1 == outcome.result()
