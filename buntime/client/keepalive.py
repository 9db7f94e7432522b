"""Keeping a session awake."""

from __future__ import annotations

import os
import threading
import weakref
from types import TracebackType
from typing import Callable, Optional

from buntime._http import SupportsTimers, Transport
from buntime._support.log import logger
from buntime._support.unpicklable import NotPicklable
from buntime.errors import SessionNotFoundError

_LONGEST_INTERVAL = 240


class StayAwake(NotPicklable):
    """Keeps a session from falling asleep for as long as its block runs.

    Made by :meth:`Session.stay_awake <buntime.Session.stay_awake>`. A thread of its own shows every
    ``interval`` seconds that the session is in use; on a transport that owns time, the transport does. A ping
    that fails is logged and tried again at the next interval; where the session has ended, none follows.
    """

    def __init__(
        self, session_id: str, ping: Callable[[], object], *, interval: float, transport: Transport
    ) -> None:
        if isinstance(interval, bool) or not isinstance(interval, (int, float)):
            raise TypeError(f"interval must be a number of seconds, not {type(interval).__name__}")
        if not 0 < interval <= _LONGEST_INTERVAL:
            raise ValueError(
                f"interval must be above 0 and at most {_LONGEST_INTERVAL} seconds, not {interval}"
            )
        self._interval = interval
        self._transport = transport
        self._heart = _Pinger(session_id, ping)
        self._stop: Optional[Callable[[], object]] = None

    @property
    def error(self) -> Exception | None:
        """Why the last ping failed, or ``None`` where it did not."""
        return self._heart.error

    def __enter__(self) -> StayAwake:
        if self._stop is not None:
            raise RuntimeError("the session is being kept awake already")
        if isinstance(self._transport, SupportsTimers):
            self._heart.beat()
            cancel = self._transport.every(self._interval, self._heart.beat)
            self._stop = weakref.finalize(self, cancel)
        else:
            stop = _start(self._heart.beat, self._interval)
            # A block that is never left, as in a generator nobody finishes, ends with its object.
            self._stop = weakref.finalize(self, stop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        stop, self._stop = self._stop, None
        if stop is not None:
            stop()


class _Pinger:
    """What a ping does and what came of the last."""

    def __init__(self, session_id: str, ping: Callable[[], object]) -> None:
        self._session_id = session_id
        self._ping = ping
        self._ended = False
        self.error: Optional[Exception] = None

    def beat(self) -> bool:
        """Ping unless that has become pointless; return whether to go on."""
        if self._ended:
            return False
        try:
            self._ping()
            self.error = None
        except SessionNotFoundError as error:
            self._ended, self.error = True, error
            logger().warning("session %s has ended and is no longer kept awake", self._session_id)
        except Exception as error:
            self.error = error
            logger().warning("session %s was not kept awake: %s", self._session_id, error)
        return not self._ended


def _start(beat: Callable[[], bool], interval: float) -> Callable[[], None]:
    """Call ``beat`` now and every ``interval`` seconds in a thread; return what ends the thread for sure."""
    stopping = threading.Event()
    pid = os.getpid()

    def run() -> None:
        while beat() and not stopping.wait(interval):
            pass

    # A daemon, so that a program that ends inside the block does end.
    thread = threading.Thread(target=run, name="buntime-stay-awake", daemon=True)
    thread.start()

    def stop() -> None:
        # A forked child has no such thread, and its copy of the event may be locked for ever.
        if os.getpid() == pid:
            stopping.set()
            if thread is not threading.current_thread():
                thread.join()

    return stop
