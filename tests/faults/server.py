"""An HTTP server over the service model, which lets a fault strike chosen requests."""

from __future__ import annotations

import socket
import threading
from typing import Callable, Optional

from tests.faults.fault import Fault
from tests.faults.service import Answer, CountingService
from tests.support.loopback import Exchange, LoopbackServer, Received

Choose = Callable[[Received], Optional[Fault]]


class FaultServer(LoopbackServer):
    """Serves a :class:`CountingService`; ``choose`` returns the fault of a request, or ``None``.

    ``connection_fault`` strikes connections instead, before a request is read, while it is set.
    """

    def __init__(self, service: CountingService, choose: Choose, *, listening: bool = True) -> None:
        self.service = service
        self.connection_fault: Optional[Fault] = None
        self.struck = 0
        """How often a fault struck."""
        self._choose = choose
        self._busy = 0
        self._dropped = 0
        self._counting = threading.Lock()
        super().__init__(self._handle, listening=listening)

    def __enter__(self) -> FaultServer:
        return self

    def recover(self) -> None:
        """Accept and serve connections from now on."""
        self.connection_fault = None
        self.listen()

    def settle(self) -> None:
        """Wait until each fault has run its course, and each connection that it ends is closed."""
        self.wait_for(lambda _: self._busy == 0 and self.connections - self.open_connections >= self._dropped)

    def accepted(self, connection: socket.socket) -> bool:
        """Let the fault of connections strike."""
        fault = self.connection_fault
        if fault is None:
            return True
        with self._counting:
            self.struck += 1
            self._dropped += 1
        nothing = Received("", "", headers={}, body=b"")  # type: ignore[arg-type]  # no request was read
        fault.act(Exchange(nothing, connection, self._stopping), _no_answer)
        return False

    def _handle(self, exchange: Exchange) -> None:
        fault = self._choose(exchange.request)
        if fault is None:
            exchange.send(self.service.respond(exchange.request).sized())
            return
        with self._counting:
            self.struck += 1
            self._busy += 1
        try:
            fault.act(exchange, lambda: self.service.respond(exchange.request))
        finally:
            with self._counting:
                self._busy -= 1
                self._dropped += exchange._dropped
            with self._changed:
                self._changed.notify_all()


def _no_answer() -> Answer:
    raise AssertionError("a connection without a request has no answer")
