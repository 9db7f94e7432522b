"""Every fault at every call: the outcome is the call's own result or a documented error, in time."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Optional

import attrs
import pytest

from buntime import Buntime, BuntimeError
from tests.faults.calls import CALLS, Call, World
from tests.faults.fault import INVALID, Fault
from tests.faults.more_calls import MORE_CALLS
from tests.faults.server import FaultServer
from tests.faults.service import CountingService
from tests.faults.table import FAULTS
from tests.support import effort
from tests.support.loopback import Received

pytestmark = pytest.mark.one_python

_PATIENCE = 20.0
_DEADLINE = 0.3
_LONG_DEADLINE = 3.0
"""For the second try of a call whose first one a loaded machine may have delayed until its deadline."""
_SLACK = 10.0
"""Seconds that a loaded machine may take longer than a deadline."""
_WORKERS = 25


@attrs.define
class _Strikes:
    """Chooses the requests of a call that a fault strikes: the one with this number, or ``None`` for all."""

    fault: Fault
    number: Optional[int]
    requests: int = 0
    active: bool = True

    def choose(self, _: Received) -> Optional[Fault]:
        number, self.requests = self.requests, self.requests + 1
        strikes = self.active and self.fault.moment == "request" and self.number in {None, number}
        return self.fault if strikes else None


def _check_case(
    fault: Fault, call: Call, number: Optional[int], folder: Path, deadline: float = _DEADLINE
) -> int:
    """Check the outcome of one call; return the number of its requests that arrived."""
    service, strikes = CountingService(), _Strikes(fault, number)
    tag = "".join(letter for letter in call.name if letter.isalnum())
    with (
        FaultServer(service, strikes.choose, listening=fault.moment != "listen") as server,
        Buntime(
            "key",
            base_url=server.url,
            timeout=_PATIENCE,
            deadline=deadline if fault.waits else _PATIENCE,
            retry_delay=0,
            on_retry=lambda *_: None if number is None else server.recover(),
        ) as client,
    ):
        session_id = service.create(tag)
        other_id = service.create("other")
        world = World(tag, service, client, session_id, folder)
        call.prepare(world)
        service.executions.clear()
        service.created.clear()
        if fault.moment == "accept":
            server.connection_fault = fault
        started = time.monotonic()
        error, value = None, None
        try:
            value = call.run(world)
        except BuntimeError as raised:
            error = raised
        elapsed = time.monotonic() - started
        strikes.active, requests = False, strikes.requests
        server.recover()
        server.settle()

        outcome = fault.outcome_of(streamed=call.streams)
        expected = outcome.expected(repeatable=call.repeatable, persistent=number is None)
        assert type(error) is (expected or type(None)), repr(error)
        assert error is not None or value == tag
        assert elapsed < (deadline if fault.waits else _PATIENCE) + _SLACK
        # On a loaded machine the deadline may pass before the request arrives.
        assert server.struck or fault.waits or fault.moment == "listen"
        acts = service.executions[tag] if call.executes else len(service.created.get(tag, ()))
        assert acts <= 1
        assert error is None or error.maybe_executed or acts == 0

        patient = client.with_options(deadline=_PATIENCE)
        assert "ran next" == patient.execute(session_id=other_id, code="next").stdout
        assert {"tag": "other"} == patient.sessions.info(other_id).metadata
        client.close()
        server.wait_for(lambda server: server.open_connections == 0)
    return requests


def _check_call(fault: Fault, call: Call, folder: Path) -> Optional[str]:
    """Check a call with the fault at one request, and at all of them; return a description of a failure."""
    number: Optional[int] = 0
    try:
        try:
            requests = _check_case(fault, call, 0, folder)
        except AssertionError:
            if not fault.waits:
                raise
            requests = _check_case(fault, call, 0, folder / "again", _LONG_DEADLINE)
        if not fault.waits and fault.outcome.error is not None:
            # The request that was struck was sent twice.
            others = range(1, requests - 1) if call.is_transfer and fault.moment == "request" else ()
            for number in (*others, None):
                _check_case(fault, call, number, folder)
    except Exception as error:  # so that one failure does not hide the others
        return f"{call.name}, request {number}: {type(error).__name__}: {error}"
    return None


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_call_ends_with_its_own_result_or_a_documented_error(fault: Fault, tmp_path: Path) -> None:
    """Nothing runs twice, and the next call on the same client gets its own result."""
    calls = [
        call
        for call in (*CALLS, *MORE_CALLS)
        if (call.streams or not fault.only_streams)
        and not (call.raw and fault.outcome is INVALID)
        and call.name not in fault.accepted_by
    ]
    calls = effort.sample(calls, FAULTS.index(fault), 8)
    folders = [tmp_path / str(number) for number in range(len(calls))]
    for folder in folders:
        (folder / "again").mkdir(parents=True)
    with ThreadPoolExecutor(_WORKERS if fault.waits else 2) as threads:
        failures = [*filter(None, threads.map(lambda *each: _check_call(fault, *each), calls, folders))]
    assert not failures, "\n".join(failures)
