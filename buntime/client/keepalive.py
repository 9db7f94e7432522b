"""Keeping a session awake."""

from __future__ import annotations

import threading
import weakref
from typing import Callable, Optional

from buntime import _validate
from buntime._http import SupportsTimers
from buntime._support.closing import ClosesWithBlock
from buntime._support.export import export
from buntime._support.log import logger
from buntime._support.owner import Owner
from buntime._support.unpicklable import NotPicklable
from buntime.client.context import Context
from buntime.errors import SessionNotFoundError

_LONGEST_INTERVAL = 240


class StayAwake(ClosesWithBlock, NotPicklable):
    """Keeps a session from falling asleep while its block runs.

    :meth:`Session.stay_awake <buntime.Session.stay_awake>` returns it. A separate thread pings the session
    every ``interval`` seconds; a transport with its own clock does so itself. A ping that fails is logged,
    and repeated at the next interval. After the session has ended there are no more pings.
    """

    def __init__(self, context: Context, session_id: str, *, interval: float) -> None:
        if not 0 < _validate.number("interval", interval, "a number of seconds") <= _LONGEST_INTERVAL:
            raise ValueError(
                f"interval must be above 0 and at most {_LONGEST_INTERVAL} seconds, not {interval}"
            )
        self._interval = interval
        self._transport = context.caller.transport
        self._pinger = _Pinger(context, session_id)
        self._stop: Optional[weakref.finalize[[], StayAwake]] = None

    @property
    def error(self) -> Optional[Exception]:
        """The error of the last ping, or ``None`` if it succeeded."""
        return self._pinger.error

    def __enter__(self) -> StayAwake:
        if self._stop is not None:
            raise RuntimeError("the session is already being kept awake")
        if isinstance(self._transport, SupportsTimers):
            self._pinger.ping()
            stop = self._transport.every(self._interval, self._pinger.ping)
        else:
            stop = start_pinging(self._pinger.ping, self._interval)
        # Also stops when the object is collected: a generator that is not finished never leaves its block.
        self._stop = weakref.finalize(self, stop)
        self._stop.atexit = False
        return self

    def _leave_block(self, error: Optional[BaseException]) -> None:
        stop, self._stop = self._stop, None
        if stop is not None and isinstance(error, KeyboardInterrupt):
            stop.detach()
            self._pinger.ended = True  # and a ping in flight is not waited for
        elif stop is not None:
            stop()


class _Pinger:
    """Pings a session, and has the error of the last ping."""

    def __init__(self, context: Context, session_id: str) -> None:
        self._context = context
        self._session_id = session_id
        self.ended = False
        self.error: Optional[Exception] = None

    def ping(self) -> bool:
        """Ping the session, unless it has ended; return whether to continue."""
        if self.ended:
            return False
        try:
            self._context.helpers.run(self._session_id, "ping", idempotent=True)
            self.error = None
        except SessionNotFoundError as error:
            self.ended, self.error = True, error
            logger().warning("session %s has ended and is no longer kept awake", self._session_id)
        except Exception as error:
            self.error = error
            logger().warning("session %s was not kept awake: %s", self._session_id, error)
        return not self.ended


def start_pinging(ping: Callable[[], bool], interval: float) -> Callable[[], None]:
    """Call ``ping`` now and every ``interval`` seconds in a thread; return a function that stops it."""
    stopping = threading.Event()
    owner = Owner()

    def run() -> None:
        while ping() and not stopping.wait(interval):
            pass

    # A daemon, so that a program that ends inside the block does end.
    thread = threading.Thread(target=run, name="buntime-stay-awake", daemon=True)
    thread.start()

    def stop() -> None:
        # A forked child does not have the thread, and its copy of the event's lock may never be released.
        if owner.is_this_process():
            stopping.set()
            if thread is not threading.current_thread():
                thread.join()

    return stop


export("buntime", StayAwake)
