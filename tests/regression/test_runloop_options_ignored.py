"""Options of Runloop's calls were ignored or refused: a misspelled or an unknown one, and false flags."""

from __future__ import annotations

import threading
from typing import Any, Callable, Optional

import attrs
import pytest

from buntime import ExecuteRequest
from buntime.runloop import Execution, RunloopSDK
from buntime.runloop.session import program_fields
from tests.runloop.client.stub import Stub
from tests.support.loopback import LoopbackServer, json_reply

_WAITS: dict[str, Callable[[RunloopSDK], Callable[..., Any]]] = {
    "await_running": lambda runloop: runloop.devbox.from_id("dbx_1").await_running,
    "await_suspended": lambda runloop: runloop.devbox.from_id("dbx_1").await_suspended,
    "await_completed": lambda runloop: runloop.snapshot.from_id("snp_1").await_completed,
    "result": lambda runloop: runloop.devbox.from_id("dbx_1").cmd.exec_async("true").result,
}


@pytest.mark.parametrize("name", _WAITS)
def test_misspelled_option_of_a_wait(name: str) -> None:
    """It is a TypeError with the right name, before anything is sent for the wait."""
    stub = Stub()
    with stub.client() as runloop:
        wait = _WAITS[name](runloop)
        sent = len(stub.requests)
        with pytest.raises(TypeError, match=f"{name}\\(\\) has no argument 'timeot'; use timeout"):
            wait(timeot=5)
    assert sent == len(stub.requests)


def test_flag_that_is_false() -> None:
    """``attach_stdin=False`` is the same as none."""
    stub = Stub()
    with stub.client() as runloop:
        assert runloop.devbox.from_id("dbx_1").cmd.exec("true", attach_stdin=False).success
    assert ["devboxes.execute"] == stub.acted


def test_kill_by_a_callback() -> None:
    """A callback may kill the command whose output it gets."""
    stub = Stub()
    started = threading.Event()
    executions: list[Execution] = []

    def kill(_text: str) -> None:
        assert started.wait(30)
        executions[0].kill()

    with stub.client() as runloop:
        executions.append(runloop.devbox.from_id("dbx_1").cmd.exec_async("npx server", stdout=kill))
        started.set()
        assert executions[0].result(timeout=30).success
    assert "devboxes.executions.kill" in stub.acted


def test_close_of_a_devbox_that_has_ended() -> None:
    """``close()`` accepts a devbox that ended by itself, as its ``with`` block does."""
    stub = Stub()
    with stub.client() as runloop:
        devbox = runloop.devbox.from_id("dbx_1")
        stub.acted.append("devboxes.shutdown")
        stub.faults[:] = [400]
        devbox.close()
        devbox.close()
    assert 2 == len(stub.requests)


def test_authorization_of_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call with its own ``Authorization`` needs no key of the client, and sends no other."""
    monkeypatch.setenv("RUNLOOP_API_KEY", "")
    own = {"Authorization": "Bearer rk_of_the_call"}
    with LoopbackServer(json_reply({"id": "dbx_1", "status": "running"})) as server:
        with RunloopSDK(base_url=server.url) as runloop:
            assert "running" == runloop.devbox.from_id("dbx_1").get_info(extra_headers=own).status
        assert "Bearer rk_of_the_call" == server.requests[0].headers["Authorization"]


@attrs.frozen(slots=False)
class _Prioritized(ExecuteRequest):
    """A request with an option that a later version may have."""

    priority: Optional[str] = attrs.field(default=None, kw_only=True)


def test_an_option_that_a_devbox_lacks() -> None:
    """A session over a devbox refuses it before anything is sent; without a value it is no option."""
    stub = Stub()
    with stub.client() as runloop:
        session = runloop.devbox.from_id("dbx_1").as_session()
        for execute in (session.execute, session.stream):
            with pytest.raises(TypeError, match="does not have the option 'priority'"):
                execute(_Prioritized("1", priority="low"))
    assert [] == stub.requests
    assert {
        "files": (),
        "code": "1",
        "command": None,
        "env": {},
        "working_dir": None,
        "timeout": 5,
        "label": None,
    } == program_fields(_Prioritized("1", check=True, stdin="a"), 5)
