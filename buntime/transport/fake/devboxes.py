"""Runloop in the fake: made by the first request to it, so that other programs do not import it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Optional

from buntime._http import Request, Response
from buntime._support.forks import reset_after_fork
from buntime.service.scripted.executor import ScriptedExecutor
from buntime.transport.fake.clock import FakeClock

if TYPE_CHECKING:
    from buntime.service.devboxes.app import DevboxService
    from buntime.service.devboxes.devbox import Devbox

PREFIX = "/v1/"
"""The start of the paths of Runloop."""


class FakeDevboxes:
    """The model of Runloop on the fake's clock and with its scripts; the times are seconds."""

    def __init__(
        self, clock: FakeClock, executor: ScriptedExecutor, boot: float, build: float, snapshot: float
    ) -> None:
        self._clock = clock
        self._executor = executor
        self._times = (boot, build, snapshot)
        self._service: Optional[DevboxService] = None
        self._lock = reset_after_fork(threading.Lock())

    def handle(self, request: Request) -> Response:
        """Return the response to a request."""
        with self._lock:
            if self._service is None:
                from buntime.service.devboxes.app import DevboxService
                from buntime.service.devboxes.scripted import ScriptedHost

                clock, executor = self._clock, self._executor
                self._service = DevboxService(ScriptedHost(clock, clock.advance, executor, *self._times))
            service = self._service
        return service.handle(request)

    def alive(self) -> dict[str, Devbox]:
        """Return the devboxes that have not ended."""
        return {} if self._service is None else self._service.devboxes

    def close(self) -> None:
        """End all devboxes."""
        if self._service is not None:
            self._service.close()


def route_name(method: str, path: str) -> Optional[str]:
    """Return the name of a call of Runloop, such as ``devboxes.create``; ``None`` for any other."""
    if not path.startswith(PREFIX):
        return None
    from buntime.service.devboxes.app import route_name as name_of

    return name_of(method, path)


def is_devbox_call(call: str) -> bool:
    """Whether Runloop has a call of this name, or with this method and path."""
    from buntime.service.devboxes.app import ROUTES

    method, _, path = call.partition(" ")
    return call in ROUTES or route_name(method, path) is not None
