"""Acting once for each idempotency key."""

from __future__ import annotations

import json
import threading
from typing import Any, Callable, TypeVar

from buntime._support.forks import reset_after_fork
from buntime.service.clock import ServiceClock
from buntime.service.errors import ServiceError

_MOST = 10_000

T = TypeVar("T")


class Idempotency:
    """Results by key, each stored for ``lifetime`` seconds. Of more than 10,000, the oldest are forgotten."""

    def __init__(self, clock: ServiceClock, lifetime: float) -> None:
        self._clock = clock
        self._lifetime = lifetime
        self._changed = reset_after_fork(threading.Condition())
        self._requests: dict[str, str] = {}
        # Results and when they expire, in that order. A key with a request but no result is in progress.
        self._results: dict[str, tuple[Any, float]] = {}

    def once(self, key: str, request: object, act: Callable[[], T]) -> tuple[T, bool]:
        """Return the result for ``request``, and whether an earlier call with the key created it.

        ``act`` creates it. If that raises, nothing is stored, and the next call with the key acts again. A
        call with a key in progress waits for it. Raises a 409 ``idempotency_conflict`` if the key was used
        with another request.
        """
        canonical = json.dumps(request, sort_keys=True)
        with self._changed:
            self._forget_old()
            while key in self._requests:
                if self._requests[key] != canonical:
                    raise ServiceError(
                        "idempotency_conflict",
                        f"The idempotency key {key} was used with another request body",
                        {"idempotencyKey": key},
                    )
                if key in self._results:
                    return self._results[key][0], True
                self._changed.wait()
            self._requests[key] = canonical
        try:
            result = act()
        except BaseException:
            with self._changed:
                del self._requests[key]
                self._changed.notify_all()
            raise
        with self._changed:
            self._results[key] = result, self._clock.monotonic() + self._lifetime
            self._changed.notify_all()
        return result, False

    def _forget_old(self) -> None:
        while self._results:
            oldest = next(iter(self._results))
            if len(self._results) <= _MOST and self._results[oldest][1] > self._clock.monotonic():
                return
            del self._results[oldest], self._requests[oldest]
