"""Many items over a pool of sessions: what is called, and what comes back."""

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
from tests.support.loopback import LoopbackServer, json_reply


@pytest.fixture
def service() -> BlockingService:
    """Return a service whose executions can be held."""
    return BlockingService()


@pytest.fixture
def client(service: BlockingService) -> Iterator[Buntime]:
    """Return a client of it that does not retry."""
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
    """Also where the first is the last to finish."""
    with SessionPool(client, size=3) as pool:
        outcomes = pool.map(_run, ["hold", "a", "b"])
        service.release_after(3)
        assert [Outcome("hold", "hold"), Outcome("a", "a"), Outcome("b", "b")] == list(outcomes)


def test_outcomes_come_as_they_finish(service: BlockingService, client: Buntime) -> None:
    """Where that is asked for: what blocks in one session stops no other."""
    with SessionPool(client, size=2) as pool:
        outcomes = pool.map(_run, ["hold", "a", "b", "c"], ordered=False)
        assert ["a", "b", "c"] == [next(outcomes).item for _ in range(3)]
        service.release()
        assert [Outcome("hold", "hold")] == list(outcomes)


def test_requests_are_executed() -> None:
    """With all that they say; a non-zero exit code is an error where the request checks for one."""
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
def test_what_is_no_failure_of_an_item_ends_the_call(
    service: BlockingService, client: Buntime, kind: type[BaseException]
) -> None:
    """It is raised where the outcomes are waited for; what else ran is ended."""

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


def test_items_are_taken_when_there_is_room(service: BlockingService, client: Buntime) -> None:
    """A slow first item lets neither items nor outcomes pile up, and an endless iterable has no end here."""
    taken: list[str] = []

    def endless() -> Iterator[str]:
        for number in itertools.count():
            taken.append(f"{number}" if number else "hold")
            yield taken[-1]

    with SessionPool(client, size=3) as pool:
        outcomes = pool.map(_run, endless())
        service.release_after(6)
        assert "hold" == next(outcomes).value
        assert 6 == len(taken)
        assert [f"{number}" for number in range(1, 100)] == [next(outcomes).value for _ in range(99)]
        assert 100 <= len(taken) <= 106
        outcomes.close()


def test_items_and_outcomes_are_let_go_of() -> None:
    """However many there are, no more are alive than are under way."""

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


def test_what_the_items_raise_comes_last() -> None:
    """After the outcomes of what they gave before, of which none is lost."""

    def items() -> Iterator[int]:
        yield from (1, 2, 3)
        raise LookupError("no more")

    found: list[int | None] = []
    with Buntime(transport=_fake()) as client, SessionPool(client) as pool:
        outcomes = pool.map(lambda _session, item: item, items())
        found.extend(next(outcomes).value for _ in range(3))
        with pytest.raises(LookupError, match="no more"):
            next(outcomes)
    assert [1, 2, 3] == found


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


def test_nothing_happens_before_the_first_outcome_is_asked_for(
    service: BlockingService, client: Buntime
) -> None:
    """No item is taken, no thread started, nothing sent; forgetting the call leaves nothing either."""
    items = iter(["a"])
    threads = threading.active_count()
    with SessionPool(client) as pool:
        outcomes = pool.map(_run, items)
        assert threads == threading.active_count()
        outcomes.close()
    assert ["a"] == list(items)
    assert [] == service.calls


def test_every_item_runs_in_a_thread_of_the_pool() -> None:
    """They are named for it, and gone at the end of the call; the items are taken in the caller's."""
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


def test_as_many_run_at_the_same_time_as_the_size_says(service: BlockingService, client: Buntime) -> None:
    """All wait for each other, so fewer would wait for ever."""
    together = threading.Barrier(8)
    with SessionPool(client, size=8) as pool:
        outcomes = pool.map(lambda _session, _item: together.wait(30), range(16), ordered=False)
        assert sorted([*range(8)] * 2) == sorted(outcome.result() for outcome in outcomes)
    assert 8 == len(service.created)


def test_a_pool_is_used_again_and_by_several_threads() -> None:
    """Each call gets its own outcomes; the sessions are the same."""
    fake = _fake()
    found: dict[int, list[Any]] = {}
    with Buntime(transport=fake) as client, SessionPool(client, size=3) as pool:

        def call(number: int) -> None:
            found[number] = [
                outcome.value for outcome in pool.map(_run, [f"{number}.{n}" for n in range(50)])
            ]

        threads = [threading.Thread(target=call, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        call(4)
        assert len(fake.sessions) <= 3
    assert {number: [f"{number}.{n}" for n in range(50)] for number in range(5)} == found


def test_two_calls_side_by_side(service: BlockingService, client: Buntime) -> None:
    """One thread may ask two calls in turn; they share the sessions."""
    with SessionPool(client, size=2) as pool:
        pairs = list(zip(pool.map(_run, "abc"), pool.map(_run, "def")))
    assert [("a", "d"), ("b", "e"), ("c", "f")] == [(one.value, two.value) for one, two in pairs]
    assert len(service.created) <= 2


@pytest.mark.parametrize(
    ("bad", "error"), [(ExecuteRequest("1", session_id="ses_1"), ValueError), ("1", TypeError)]
)
def test_a_request_that_cannot_be_is_refused(
    service: BlockingService, client: Buntime, bad: Any, error: type[Exception]
) -> None:
    """Before anything is sent; from an iterator, when it is taken."""
    with SessionPool(client) as pool:
        with pytest.raises(error):
            pool.execute([ExecuteRequest("a"), bad])
        assert [] == service.calls
        outcomes = pool.execute(iter([ExecuteRequest("a"), bad]))
        assert "a" == next(outcomes).result().stdout
        with pytest.raises(error):
            next(outcomes)
        assert ["a"] == service.codes


@pytest.mark.parametrize(
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
def test_arguments_that_cannot_be(client: Buntime, arguments: dict[str, Any], error: type[Exception]) -> None:
    """They are refused where the pool is made, not where its first session is."""
    with pytest.raises(error, match=next(iter(arguments))):
        SessionPool(client, **arguments)


def test_what_is_no_client_function_or_iterable(service: BlockingService, client: Buntime) -> None:
    """It is refused by the call, before an outcome is asked for."""
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
    """It compares, pickles and cannot be changed; a value of None is no error."""
    outcome: Outcome[str, None] = Outcome("item", None)
    assert (None, True) == (outcome.result(), outcome.ok)
    assert outcome == pickle.loads(pickle.dumps(outcome))
    with pytest.raises(AttributeError):
        outcome.error = None  # type: ignore[misc]  # the mistake that is tested


def test_a_pool_stays_in_its_process(client: Buntime) -> None:
    """It does not pickle, and says why."""
    with SessionPool(client) as pool, pytest.raises(TypeError, match="lives in this process"):
        pickle.dumps(pool)


def test_a_session_of_a_pool_travels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over HTTP it pickles as any other: attached, on its client's own settings."""
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
