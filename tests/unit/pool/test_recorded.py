"""Recording and replaying a pool: items run one after another, so the order is deterministic."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Callable

import pytest

from buntime import Buntime, CassetteError, ExecuteRequest, Outcome, Session, SessionPool
from buntime.transport import (
    FakeTransport,
    FunctionTransport,
    RecordingTransport,
    ReplayTransport,
    Request,
    Response,
)
from tests.support.threads import started_since

Program = Callable[[Buntime], object]


def _fake() -> FakeTransport:
    fake = FakeTransport()
    fake.on_execute(lambda _: True, handler=lambda execution: execution.code)
    return fake


def _run(session: Session, code: str) -> str:
    return session.execute(code).stdout


def _recorded(program: Program, path: Path) -> object:
    with closing(RecordingTransport(path, _fake())) as transport:
        return program(Buntime(transport=transport).with_options())


def _replayed(program: Program, path: Path) -> object:
    transport = ReplayTransport(path)
    value = program(Buntime(transport=transport))
    assert [] == transport.unplayed
    return value


def _all(client: Buntime) -> object:
    with SessionPool(client, size=4) as pool:
        pool.warm()
        mapped = [outcome.result() for outcome in pool.map(_run, map(str, range(20)), ordered=False)]
        executed = [outcome.result().stdout for outcome in pool.execute([ExecuteRequest("a")] * 3)]
    return mapped, executed


def _some(client: Buntime) -> object:
    values = []
    with SessionPool(client, size=4) as pool:
        for outcome in pool.map(_run, map(str, range(20))):
            values.append(outcome.result())
            if "3" == outcome.item:
                break
        with pool.session() as session:
            values.append(_run(session, "last"))
    return values


def _replaces(client: Buntime) -> object:
    def ends(session: Session, code: str) -> str:
        if "1" == code:
            client.sessions.delete(session.id)
        return _run(session, code)

    with SessionPool(client, size=4) as pool:
        return [(outcome.value, type(outcome.error)) for outcome in pool.map(ends, "012")]


def _replaces_each(client: Buntime) -> object:
    with SessionPool(client, size=4, reuse=False) as pool:
        return [outcome.value for outcome in pool.map(_run, "012")]


@pytest.mark.parametrize("program", [_all, _some, _replaces, _replaces_each])
def test_a_pool_is_replayed_as_it_was_recorded(program: Program, tmp_path: Path) -> None:
    """Recorded again, the cassette is the same to the byte."""
    path = tmp_path / "pool.json"
    recorded = _recorded(program, path)
    text = path.read_bytes()
    assert recorded == _replayed(program, path) == _replayed(program, path)
    assert recorded == _recorded(program, path)
    assert text == path.read_bytes()


def test_a_repeated_item_is_repeated_in_the_recording_too(tmp_path: Path) -> None:
    """The recording has both attempts."""

    def program(client: Buntime) -> object:
        with SessionPool(client, size=1) as pool:
            with pool.session() as session:
                pass
            client.sessions.delete(session.id)
            return [outcome.result() for outcome in pool.map(_run, "ab")]

    path = tmp_path / "pool.json"
    assert ["a", "b"] == _recorded(program, path) == _replayed(program, path)


@pytest.mark.parametrize("how", ["recorded", "replayed"])
def test_it_works_in_the_callers_thread(how: str, tmp_path: Path) -> None:
    """Each item runs when its outcome is requested; sessions are created and deleted there too."""
    path = tmp_path / "pool.json"
    codes_read: list[str] = []
    threads: set[str] = set()

    def items() -> Iterator[str]:
        for code in "abc":
            codes_read.append(code)
            yield code

    def work(session: Session, code: str) -> str:
        threads.add(threading.current_thread().name)
        return _run(session, code)

    def program(client: Buntime) -> None:
        codes_read.clear()
        before = threading.enumerate()
        with SessionPool(client, size=3) as pool:
            pool.warm()
            outcomes = pool.map(work, items(), ordered=False)
            assert [Outcome("a", "a"), Outcome("b", "b")] == [next(outcomes), next(outcomes)]
            assert ["a", "b"] == codes_read
            assert [] == started_since(before)
            outcomes.close()

    _recorded(program, path)
    if how == "replayed":
        _replayed(program, path)
    assert {threading.current_thread().name} == threads


def test_a_request_missing_from_the_recording_is_the_items_error(tmp_path: Path) -> None:
    """It is an outcome like any other error of an item."""
    path = tmp_path / "pool.json"
    _recorded(_replaces_each, path)
    with SessionPool(Buntime(transport=ReplayTransport(path)), size=1, reuse=False) as pool:
        one, two = pool.map(_run, "0x")
    assert "0" == one.value
    assert isinstance(two.error, CassetteError)


def test_sessions_that_threads_borrow_are_not_recordable(tmp_path: Path) -> None:
    """Threads that borrow sessions concurrently cannot be recorded: the error explains that."""
    together = threading.Barrier(2)

    fake = FakeTransport()

    def respond(request: Request) -> Response:
        if request.path == "/sessions/create":
            together.wait(30)
        return fake.send(request)

    transport = RecordingTransport(tmp_path / "pool.json", FunctionTransport(respond))

    def borrow() -> None:
        with pool.session():
            pass

    with SessionPool(Buntime(transport=transport), size=2) as pool:
        threads = [threading.Thread(target=borrow) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    with pytest.raises(CassetteError, match="ambiguous_session"):
        transport.close()
