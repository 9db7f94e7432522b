"""A service in memory, with a stopped clock and executions scripted by a test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable

import pytest

from buntime.service.sessions.app import Service
from buntime.service.workspace.memory import MemoryWorkspace
from tests.support.clocks import ManualClock
from tests.support.executors import PlayedExecutor, Script, echo
from tests.support.wire_client import WireClient

MakeWireClient = Callable[..., WireClient]


@pytest.fixture
def make_wire_client() -> Iterator[MakeWireClient]:
    """Return a function that creates services, which are closed at the end."""
    created: list[Service] = []

    def make(script: Script = echo, **options: Any) -> WireClient:
        clock = ManualClock()
        executor = PlayedExecutor(script)
        service = Service(executor, lambda _: MemoryWorkspace(clock), clock=clock, **options)
        created.append(service)
        return WireClient(service, clock, executor)

    yield make
    for service in created:
        service.close()


@pytest.fixture
def wire_client(make_wire_client: MakeWireClient) -> WireClient:
    """Return a service without a plan."""
    return make_wire_client()
