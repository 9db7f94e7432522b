"""Process many items over a pool of sessions: requests and outcomes."""

from __future__ import annotations

import gc
import itertools
import pickle
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from buntime import Buntime, ExecuteRequest, ExecutionFailedError, Outcome, Session, SessionPool
from buntime.transport import FakeTransport, ScriptedExecution
from tests.support import responses
from tests.support.blocking_service import BlockingService
from tests.support.cases import in_one_test
from tests.support.loopback import LoopbackServer, json_reply
from tests.support.threads import started_since


@pytest.fixture
def service() -> BlockingService:
    """Return a service whose executions can block."""
    return BlockingService()


@pytest.fixture
def client(service: BlockingService) -> Iterator[Buntime]:
    """Return a client of the service that does not retry."""
    with Buntime(transport=service.transport, max_retries=0, retry_delay=0) as client:
        yield client


def _echo(execution: ScriptedExecution) -> str:
    return execution.code or ""


def _fake() -> FakeTransport:
    fake = FakeTransport()
    fake.on_execute(lambda _: True, handler=_echo)
    return fake


def _run(session: Session, code: str) -> str:
    return session.execute(code).stdout


def _requests(*codes: str) -> list[ExecuteRequest]:
    return [ExecuteRequest(code) for code in codes]


def test_outcomes_come_in_the_order_of_the_items(service: BlockingService, client: Buntime) -> None:
    """Even if the first is the last to finish."""
    with SessionPool(client, size=3) as pool:
        outcomes = pool.map(_run, ["hold", "a", "b"])
        service.release_after(3)
        assert [Outcome("hold", "hold"), Outcome("a", "a"), Outcome("b", "b")] == list(outcomes)


def test_outcomes_come_as_they_finish(service: BlockingService, client: Buntime) -> None:
    """With ``ordered=False``: an item that blocks in one session stops no other."""
    with SessionPool(client, size=2) as pool:
        outcomes = pool.map(_run, ["hold", "a", "b", "c"], ordered=False)
        assert ["a", "b", "c"] == [next(outcomes).item for _ in range(3)]
        service.release()
        assert [Outcome("hold", "hold")] == list(outcomes)


def test_execute_requests_are_executed() -> None:
    """With all their fields; a non-zero exit code is an error if the request sets ``check``."""
    fake = FakeTransport()
    fake.on_execute("one", handler=lambda run: run.env["A"])
    fake.on_execute(command="two", exit_code=3)
    checked = ExecuteRequest(command="two", check=True)
    with Buntime(transport=fake) as client, SessionPool(client) as pool:
        one, two, three = pool.execute(
            [ExecuteRequest("one", env={"A": "b"}), ExecuteRequest(command="two"), checked]
        )
    assert "b" == one.result().stdout
    assert 3 == two.result().exit_code
    assert checked is three.item
    assert isinstance(three.error, ExecutionFailedError)


def test_an_exception_is_an_outcome() -> None:
    """It is not lost, and stops no other item."""

    def divide(_session: Session, number: int) -> int:
        return 6 // number

    with Buntime(transport=_fake()) as client, SessionPool(client, size=2) as pool:
        one, two, three = pool.map(divide, [1, 0, 2])
    assert (Outcome(1, 6), Outcome(2, 3)) == (one, three)
    assert (0, None, False) == (two.item, two.value, two.ok)
    with pytest.raises(ZeroDivisionError):
        two.result()


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_exceptions_that_end_the_program_end_the_call(
    service: BlockingService, client: Buntime, kind: type[BaseException]
) -> None:
    """They are raised in the loop over the outcomes; the other items are ended."""

    def leave(session: Session, code: str) -> str:
        if code == "leave":
            service.wait_until_blocked(1)
            raise kind("on purpose")
        return _run(session, code)

    with SessionPool(client, size=2) as pool:
        with pytest.raises(kind, match="on purpose"):
            list(pool.map(leave, ["hold", "leave", "never"]))
        assert ["hold"] == service.codes
        assert 1 >= len(service.open)
    assert set() == service.open


def test_items_are_read_when_there_is_capacity(service: BlockingService, client: Buntime) -> None:
    """A slow first item lets neither items nor outcomes pile up, and an endless iterable works."""
    codes_read: list[str] = []

    def endless() -> Iterator[str]:
        for number in itertools.count():
            codes_read.append(f"{number}" if number else "hold")
            yield codes_read[-1]

    with SessionPool(client, size=3) as pool:
        outcomes = pool.map(_run, endless())
        service.release_after(6)
        assert "hold" == next(outcomes).value
        assert 6 == len(codes_read)
        assert [f"{number}" for number in range(1, 100)] == [next(outcomes).value for _ in range(99)]
        assert 100 <= len(codes_read) <= 106
        outcomes.close()


def test_items_and_outcomes_are_released() -> None:
    """However many there are, only those in progress are alive."""

    class Item:
        pass

    alive: weakref.WeakSet[Item] = weakref.WeakSet()

    def items() -> Iterator[Item]:
        for _ in range(2000):
            item = Item()
            alive.add(item)
            yield item

    most = 0
    with Buntime(transport=_fake()) as client, SessionPool(client, size=4) as pool:
        for outcome in pool.map(lambda _session, item: item, items()):
            most = max(most, len(alive))
            assert outcome.ok
            del outcome
        gc.collect()
        assert 0 == len(alive)
    assert most <= 8 + 4


def test_an_error_of_the_iterable_comes_last() -> None:
    """It follows the outcomes of all earlier items."""

    def items() -> Iterator[int]:
        yield from (1, 2, 3)
        raise LookupError("no more")

    values: list[int | None] = []
    with Buntime(transport=_fake()) as client, SessionPool(client) as pool:
        outcomes = pool.map(lambda _session, item: item, items())
        values.extend(next(outcomes).value for _ in range(3))
        with pytest.raises(LookupError, match="no more"):
            next(outcomes)
    assert [1, 2, 3] == values


def test_no_more_sessions_than_items(service: BlockingService, client: Buntime) -> None:
    """None for no items, one for one, and never more than the size."""
    with SessionPool(client, size=3) as pool:
        assert [] == list(pool.map(_run, []))
        assert [] == service.calls
        assert ["a"] == [outcome.value for outcome in pool.map(_run, ["a"])]
        assert 1 == len(service.created)
        service.release()
        assert 20 == len(list(pool.map(_run, ["hold"] * 20)))
        assert len(service.created) <= 3


def test_nothing_happens_before_the_first_outcome_is_requested(
    service: BlockingService, client: Buntime
) -> None:
    """No item is read, no thread started, no request sent; a call that is never read has no effect."""
    items = iter(["a"])
    before = threading.enumerate()
    with SessionPool(client) as pool:
        outcomes = pool.map(_run, items)
        assert [] == started_since(before)
        outcomes.close()
    assert ["a"] == list(items)
    assert [] == service.calls


def test_every_item_runs_in_a_thread_of_the_pool() -> None:
    """The threads have the pool's name and end with the call; items are read in the caller's thread."""
    threads: dict[str, set[str]] = {"items": set(), "function": set()}

    def name() -> str:
        return threading.current_thread().name

    def items() -> Iterator[int]:
        for number in range(10):
            threads["items"].add(name())
            yield number

    with Buntime(transport=_fake()) as client, SessionPool(client, size=2) as pool:
        list(pool.map(lambda _session, _item: threads["function"].add(name()), items()))
        assert {name()} == threads["items"]
        assert threads["function"] <= {"buntime-pool-1", "buntime-pool-2"}
        assert not any(thread.name.startswith("buntime-pool") for thread in threading.enumerate())


def test_size_is_the_number_of_concurrent_items(service: BlockingService, client: Buntime) -> None:
    """All items wait for each other, so fewer threads would never finish."""
    together = threading.Barrier(8)
    with SessionPool(client, size=8) as pool:
        outcomes = pool.map(lambda _session, _item: together.wait(30), range(16), ordered=False)
        assert sorted([*range(8)] * 2) == sorted(outcome.result() for outcome in outcomes)
    assert 8 == len(service.created)


def test_a_pool_is_reused_by_several_threads() -> None:
    """Each call gets its own outcomes; the sessions are the same."""
    fake = _fake()
    values: dict[int, list[Any]] = {}
    with Buntime(transport=fake) as client, SessionPool(client, size=3) as pool:

        def call(number: int) -> None:
            values[number] = [
                outcome.value for outcome in pool.map(_run, [f"{number}.{n}" for n in range(50)])
            ]

        threads = [threading.Thread(target=call, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        call(4)
        assert len(fake.sessions) <= 3
    assert {number: [f"{number}.{n}" for n in range(50)] for number in range(5)} == values


def test_two_concurrent_calls(service: BlockingService, client: Buntime) -> None:
    """One thread may read two calls in turn; they share the sessions."""
    with SessionPool(client, size=2) as pool:
        pairs = list(zip(pool.map(_run, "abc"), pool.map(_run, "def")))
    assert [("a", "d"), ("b", "e"), ("c", "f")] == [(one.value, two.value) for one, two in pairs]
    assert len(service.created) <= 2


@pytest.mark.parametrize(
    ("bad", "error"), [(ExecuteRequest("1", session_id="ses_1"), ValueError), ("1", TypeError)]
)
def test_invalid_requests_are_rejected(
    service: BlockingService, client: Buntime, bad: Any, error: type[Exception]
) -> None:
    """Before any request is sent; from an iterator, when the item is read."""
    with SessionPool(client) as pool:
        with pytest.raises(error):
            pool.execute([ExecuteRequest("a"), bad])
        assert [] == service.calls
        outcomes = pool.execute(iter([ExecuteRequest("a"), bad]))
        assert "a" == next(outcomes).result().stdout
        with pytest.raises(error):
            next(outcomes)
        assert ["a"] == service.codes


@in_one_test(
    ("arguments", "error"),
    [
        ({"size": 0}, ValueError),
        ({"size": 1.5}, TypeError),
        ({"size": True}, TypeError),
        ({"ttl": 299}, ValueError),
        ({"metadata": {"a": object()}}, TypeError),
        ({"resource_limits": {"memory": 1}}, TypeError),
    ],
)
def test_invalid_arguments(client: Buntime, arguments: dict[str, Any], error: type[Exception]) -> None:
    """They are rejected when the pool is created, before its first session is."""
    with pytest.raises(error, match=next(iter(arguments))):
        SessionPool(client, **arguments)


def test_invalid_clients_functions_and_iterables(service: BlockingService, client: Buntime) -> None:
    """They are rejected by the call, before an outcome is requested."""
    with pytest.raises(TypeError, match="client must be a Buntime"):
        SessionPool(service.transport)  # type: ignore[arg-type]  # the mistake that is tested
    with SessionPool(client) as pool:
        with pytest.raises(TypeError, match="function"):
            pool.map("a", [])  # type: ignore[arg-type]  # the mistake that is tested
        with pytest.raises(TypeError, match="iterable"):
            pool.map(_run, 1)  # type: ignore[arg-type]  # the mistake that is tested
        with pytest.raises(ValueError, match="count"):
            pool.warm(0)
    assert [] == service.calls


def test_an_outcome_is_a_value() -> None:
    """It compares, pickles and cannot be changed; a value of None counts as success."""
    outcome: Outcome[str, None] = Outcome("item", None)
    assert (None, True) == (outcome.result(), outcome.ok)
    assert outcome == pickle.loads(pickle.dumps(outcome))
    with pytest.raises(AttributeError):
        outcome.error = None  # type: ignore[misc]  # the mistake that is tested


def test_a_pool_does_not_pickle(client: Buntime) -> None:
    """The error explains why."""
    with SessionPool(client) as pool, pytest.raises(TypeError, match="lives in this process"):
        pickle.dumps(pool)


def test_a_session_of_a_pool_pickles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over HTTP it pickles as any other: attached, with the settings of its client."""
    monkeypatch.setenv("BUNTIME_API_KEY", "btk_of_the_test")

    with (
        LoopbackServer(json_reply(responses.CREATED), json_reply(responses.DELETED)) as server,
        Buntime(base_url=server.url, max_retries=7) as client,
        SessionPool(client) as pool,
        pool.session() as session,
    ):
        copy = pickle.loads(pickle.dumps(session))
    assert session.id == copy.id
    assert 7 == copy._context.caller.policy.max_retries
