"""No devbox is left behind: whatever ends a creation at whichever step, none runs afterwards."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any, Optional

import attrs
import pytest

from buntime.errors import APIConnectionError, APIError, WaitTimeoutError
from buntime.runloop import ResourceFailedError, RunloopSDK
from buntime.transport import FakeTransport, MiddlewareTransport, Request, Response
from tests.runloop.client.stub import Stub, as_json
from tests.support.cases import in_one_test
from tests.support.forks import needs_fork, run_in_fork

Send = Callable[[Request], Response]
_STEPS = {"create": "/v1/devboxes", "wait": "/wait_for_status"}


class Killed(BaseException):
    """The process of the client is killed: nothing that it does afterwards reaches the service."""


@attrs.define
class _Ends:
    """A middleware that ends the creation at a step, before or after the service acts."""

    step: str
    is_after: bool
    error: BaseException
    ended: bool = False

    def __call__(self, request: Request, send: Send) -> Response:
        if self.ended and isinstance(self.error, Killed):
            raise self.error
        if self.ended or not request.path.endswith(_STEPS[self.step]):
            return send(request)
        if self.is_after:
            send(request).read()
        self.ended = True
        raise self.error


def _create(middleware: Any, boot_time: float = 90.0, **options: Any) -> tuple[FakeTransport, BaseException]:
    fake = FakeTransport(boot_time=boot_time)
    client = RunloopSDK(transport=MiddlewareTransport(fake, middleware), max_retries=0)
    with pytest.raises(BaseException) as caught:
        client.devbox.create(name="box", **options)
    return fake, caught.value


@in_one_test("step", _STEPS)
@in_one_test("is_after", [False, True], ids=["before", "after"])
@in_one_test(
    "make_error",
    [
        KeyboardInterrupt,
        SystemExit,
        ValueError,
        partial(APIConnectionError, "lost", phase="read"),
        partial(APIConnectionError, "never made", phase="connect"),
    ],
    ids=["KeyboardInterrupt", "SystemExit", "ValueError", "lost", "never made"],
)
def test_interrupted_at_each_step(step: str, is_after: bool, make_error: Any) -> None:
    """The devbox is shut down, the first error is raised, and it has the id of the devbox."""
    error = make_error()
    is_connect = isinstance(error, APIConnectionError) and error.phase == "connect"
    if is_connect and is_after:
        return  # a connection that is never made cannot follow what the service did
    fake, raised = _create(_Ends(step, is_after, error))

    assert error is raised
    assert {} == fake.devboxes
    if not (is_connect and step == "create"):
        assert str(getattr(raised, "devbox_id", "")).startswith("dbx_")


@in_one_test("step", _STEPS)
@in_one_test("is_after", [False, True], ids=["before", "after"])
def test_killed_at_each_step(step: str, is_after: bool) -> None:
    """A client that is killed cannot shut anything down: the devbox ends with its keep-alive time."""
    fake, _ = _create(_Ends(step, is_after, Killed()), launch_parameters={"keep_alive_time_seconds": 600})
    fake.advance(700)
    assert {} == fake.devboxes


@in_one_test("status", [400, 401, 403, 404, 409, 422, 429, 500, 503])
@in_one_test("step", _STEPS)
def test_refused_at_each_step(step: str, status: int) -> None:
    """An error of the service at any step leaves no devbox."""

    def refuse(request: Request, send: Send) -> Response:
        if request.path.endswith(_STEPS[step]):
            return as_json({"message": "no"}, status)
        return send(request)

    fake, raised = _create(refuse)
    assert status == getattr(raised, "status", None)
    assert {} == fake.devboxes


def test_deadline() -> None:
    """A devbox that boots for longer than ``timeout`` is shut down."""
    fake, raised = _create(lambda request, send: send(request), timeout=40)
    assert isinstance(raised, WaitTimeoutError)
    assert isinstance(raised, TimeoutError)
    assert {} == fake.devboxes


def test_waits_are_bounded_by_default() -> None:
    """Without ``timeout`` a devbox may boot for 10 minutes, and a build take an hour."""
    fake, raised = _create(lambda request, send: send(request), boot_time=3000)
    assert isinstance(raised, WaitTimeoutError)
    assert {} == fake.devboxes
    slow = FakeTransport(build_time=5000)
    with RunloopSDK(transport=slow) as client, pytest.raises(WaitTimeoutError, match="is built"):
        client.blueprint.create(name="b")
    assert 3600 <= slow.monotonic() <= 3620


def test_polling_config() -> None:
    """``polling_config`` of the official client limits the wait as ``timeout`` does."""
    for config in ({"timeout_seconds": 40}, {"interval_seconds": 2, "max_attempts": 20}):
        fake, raised = _create(lambda request, send: send(request), polling_config=config)
        assert isinstance(raised, WaitTimeoutError)
        assert {} == fake.devboxes


def test_keep() -> None:
    """``keep=True`` leaves the devbox, and the error has its id."""
    fake, raised = _create(lambda request, send: send(request), timeout=40, keep=True)
    assert [getattr(raised, "devbox_id", None)] == list(fake.devboxes)


@pytest.mark.parametrize("status", ["failure", "shutdown"])
def test_devbox_that_ends_before_it_runs(status: str) -> None:
    """A devbox that fails to boot is an error with its last state, and is shut down all the same."""
    view = {"id": "dbx_1", "status": status, "failure_reason": "out_of_memory"}
    stub = Stub(as_json({"id": "dbx_1", "status": "provisioning"}), as_json(view))
    with stub.client() as client, pytest.raises(ResourceFailedError, match="out_of_memory") as caught:
        client.devbox.create()
    assert caught.value.view is not None
    assert ["devboxes.shutdown"] == stub.acted


def test_failed_cleanup_keeps_the_first_error(caplog: pytest.LogCaptureFixture) -> None:
    """If the shutdown fails too, the first error is raised, and the log names the devbox."""
    stub = Stub(as_json({"id": "dbx_1", "status": "provisioning"}), 400, *[500] * 20)
    with stub.client() as client, pytest.raises(APIError) as caught:
        client.devbox.create()
    assert (400, "dbx_1") == (caught.value.status, vars(caught.value)["devbox_id"])
    assert "the devbox dbx_1 was not shut down" in caplog.text
    assert stub.now < 5.5


def test_context_manager_hides_no_exception() -> None:
    """Leaving the block shuts the devbox down once; a failure then does not replace the exception."""
    stub = Stub()
    with stub.client() as client, client.devbox.create() as devbox:
        devbox.shutdown()
    assert 1 == stub.acted.count("devboxes.shutdown")

    failing = Stub(respond=lambda request: as_json({}, 400) if request.path.endswith("shutdown") else None)
    with failing.client() as client, pytest.raises(ZeroDivisionError), client.devbox.create():
        _ = 1 / 0


@pytest.mark.parametrize("status", [400, 404])
def test_block_of_a_devbox_that_has_ended(status: int) -> None:
    """If the devbox ended by itself, leaving its block is no error; if it runs on, the refusal is raised."""
    for final, raises in (("shutdown", False), ("failure", False), ("running", True)):

        def respond(request: Request, final: str = final) -> Optional[Response]:
            if request.path.endswith("shutdown"):
                return as_json({"message": "no"}, status)
            return as_json({"id": "dbx_1", "status": final}) if request.method == "GET" else None

        stub = Stub(respond=respond)
        outcome = pytest.raises(APIError) if raises else nullcontext()
        with stub.client() as client, outcome, client.devbox.create():
            pass


@needs_fork
def test_forked_child_does_not_shut_down() -> None:
    """A child that leaves the block of its parent's devbox does not shut it down."""
    stub = Stub()
    with stub.client() as client, client.devbox.create() as devbox:

        def leave() -> list[str]:
            devbox.__exit__(None, None, None)
            return stub.acted

        assert "['devboxes.create']" == run_in_fork(leave)
    assert ["devboxes.create", "devboxes.shutdown"] == stub.acted


def test_waits_without_storms() -> None:
    """A wait of an hour is one request for each hold of 30 seconds, all of them equal."""
    fake = FakeTransport(boot_time=3600)
    with RunloopSDK(transport=fake) as client:
        client.devbox.create(timeout=4000, launch_parameters={"keep_alive_time_seconds": 9000})
    waits = [call for call in fake.calls if call.path.endswith("/wait_for_status")]
    assert 119 <= len(waits) <= 121
    body = {"statuses": ["running", "failure", "shutdown"], "timeout_seconds": 30}
    assert [body] * len(waits) == [call.json for call in waits]
    assert len(waits) == len({call.headers["x-request-id"] for call in waits})


@pytest.mark.parametrize("answer", [408, "view"])
def test_hold_that_ends_early(answer: Optional[object]) -> None:
    """If the service does not hold the request, the client pauses for 0.5 to 5 seconds between two."""
    view = as_json({"id": "dbx_1", "status": "provisioning"})
    queued = [as_json({"id": "dbx_1", "status": "queued"}) for _ in range(20)]
    faults = [view, *([408] * 20 if answer == 408 else queued)]
    stub = Stub(*faults)
    with stub.client() as client:
        client.devbox.create()
    assert [0.5, 1.0, 2.0, 4.0, 5.0, 5.0] == stub.slept[:6]
    assert 22 == len(stub.requests)


def test_builds_and_snapshots_are_polled_ever_less_often() -> None:
    """Without a hold there is a GET after 0.5 seconds, then less often, up to every 5 seconds."""
    queued = [as_json({"id": "bpt_1", "status": "building"}) for _ in range(7)]
    stub = Stub(*queued)
    with stub.client() as client:
        assert "bpt_1" == client.blueprint.create(name="b").id
    assert [0.5, 1.0, 2.0, 4.0, 5.0, 5.0] == stub.slept[:6]

    failed = Stub(as_json({"id": "bpt_1", "status": "failed", "failure_reason": "build_failed"}))
    with failed.client() as client, pytest.raises(ResourceFailedError, match="build_failed"):
        client.api.blueprints.await_build_complete("bpt_1")
