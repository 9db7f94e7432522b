"""Promises of a pool: threads use it at random, over a service that fails at random."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import pytest

from buntime import Buntime, BuntimeError, ExecuteRequest, Session, SessionPool
from buntime.transport import FunctionTransport, Request, Response
from tests.support import effort, responses
from tests.support.scripted import lost
from tests.support.threads import started_since

_TIMEOUT = 60.0
_SOON = [("Retry-After", "0.01")]


class _Service:
    """Sessions that end early, lost responses and both limits, each with its own probability."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._plan = chance.choice([2, 3, 100])
        self._limited, self._lost, self._ended = (chance.choice([0, share]) for share in (0.05, 0.1, 0.1))
        self._lock = threading.Lock()
        self._ids = iter(range(1_000_000))
        self.open: set[str] = set()
        self.executed: Counter[str] = Counter()
        self.running: Counter[str] = Counter()
        self.shared: list[str] = []
        """Sessions in which two executions ran at the same time."""

    def respond(self, request: Request) -> Response:
        time.sleep(self._chance.random() * 0.002)
        with self._lock:
            if request.method == "POST" and self._chance.random() < self._limited:
                return responses.error(429, "rate_limit_exceeded", headers=_SOON)
            if request.path == "/sessions/create":
                return self._create()
            if request.method == "DELETE":
                return self._delete(request.path.rpartition("/")[2])
            body = json.loads(request.content or b"")
            session_id = body["sessionId"]
            if self._chance.random() < self._ended:
                self.open.discard(session_id)
            if session_id not in self.open:
                return responses.error(404, "session_not_found")
            self.executed[body["code"]] += 1
            self.running[session_id] += 1
            if self.running[session_id] > 1:
                self.shared.append(session_id)
        time.sleep(self._chance.random() * 0.002)
        with self._lock:
            self.running[session_id] -= 1
            if self._chance.random() < self._lost:
                raise lost("read")
        return responses.as_json(responses.result(stdout=body["code"]))

    def _create(self) -> Response:
        if len(self.open) >= self._plan:
            return responses.error(403, "concurrent_session_limit", headers=_SOON)
        session_id = f"ses_{next(self._ids)}"
        self.open.add(session_id)
        return responses.as_json({**responses.CREATED, "sessionId": session_id})

    def _delete(self, session_id: str) -> Response:
        if session_id not in self.open:
            return responses.error(404, "session_not_found")
        self.open.discard(session_id)
        return responses.as_json(responses.DELETED)


def _run(session: Session, code: str) -> str:
    return session.execute(code).stdout


def _map(pool: SessionPool, codes: list[str]) -> None:
    assert codes == [outcome.item for outcome in pool.map(_run, codes)]


def _map_unordered(pool: SessionPool, codes: list[str]) -> None:
    assert set(codes) == {outcome.item for outcome in pool.map(_run, codes, ordered=False)}


def _leave_loop(pool: SessionPool, codes: list[str]) -> None:
    for _ in pool.execute(map(ExecuteRequest, codes), ordered=False):
        break


def _leave_function(pool: SessionPool, codes: list[str]) -> None:
    def leave(session: Session, code: str) -> None:
        with suppress(BuntimeError):
            _run(session, code)
        raise SystemExit

    with pytest.raises(SystemExit):
        list(pool.map(leave, codes))


def _borrow(pool: SessionPool, codes: list[str]) -> None:
    with pool.session() as session:
        _run(session, codes[0])


def _submit(pool: SessionPool, codes: list[str]) -> None:
    with pool.executor() as executor:
        futures = [executor.submit(_run, code) for code in codes]
    assert all(future.done() for future in futures)


def _warm(pool: SessionPool, _codes: list[str]) -> None:
    pool.warm()


_USES: list[Callable[[SessionPool, list[str]], None]] = [
    _map,
    _map_unordered,
    _leave_loop,
    _leave_function,
    _borrow,
    _submit,
    _warm,
]


@pytest.mark.parametrize("seed", range(effort.examples(150)))
def test_a_pool_keeps_its_promises(seed: int) -> None:
    """Nothing is executed twice, no two items share a session, and no session or thread is left."""
    chance = random.Random(seed)
    service, before = _Service(chance), threading.enumerate()
    client = Buntime(transport=FunctionTransport(service.respond), max_retries=0)
    pool = SessionPool(client, size=chance.choice([1, 2, 4]), reuse=chance.random() < 0.7)
    failures: list[BaseException] = []

    def use(number: int) -> None:
        try:
            for step, act in enumerate(plans[number]):
                act(pool, [f"{number}.{step}.{item}" for item in range(1 + (number + step + seed) % 12)])
        except BuntimeError:
            pass
        except BaseException as error:
            if "the pool is closed" not in str(error):
                failures.append(error)

    plans = [chance.choices(_USES, k=3) for _ in range(chance.randint(1, 4))]
    threads = [threading.Thread(target=use, args=(number,)) for number in range(len(plans))]
    for thread in threads:
        thread.start()
    if chance.random() < 0.5:
        time.sleep(chance.random() * 0.05)
        pool.close()
        assert set() == service.open
    for thread in threads:
        thread.join(_TIMEOUT)
    pool.close()
    assert ([], set(), []) == (failures, service.open, service.shared)
    assert {1} >= set(service.executed.values())
    assert [] == started_since(before)
