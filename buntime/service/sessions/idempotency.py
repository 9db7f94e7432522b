"""Doing a thing once, however often it is asked for."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any, Callable

import attrs

from buntime._support.forks import reset_after_fork
from buntime.service.clock import Clock
from buntime.service.errors import ServiceError, invalid

_LIFETIME = 24 * 3600
_MAX_KEY = 255

Body = Mapping[str, Any]


@attrs.frozen
class _Known:
    request: str
    answer: Body | None
    expires: float


class Idempotency:
    """Answers by idempotency key, each kept for 24 hours."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changed = reset_after_fork(threading.Condition())
        self._known: dict[str, _Known] = {}

    def once(self, key: str, request: Body, act: Callable[[], Body]) -> tuple[Body, bool]:
        """Return the answer to ``request`` and whether it is an earlier one.

        ``act`` makes the answer; an exception of it is not kept, so the next call with the key acts
        anew. A call whose key is being acted on waits for that. Raises a :class:`ServiceError`, 409
        ``idempotency_conflict``, where the key came with another request before.
        """
        if not 0 < len(key) <= _MAX_KEY:
            raise invalid("Idempotency-Key", f"Idempotency-Key must have 1 to {_MAX_KEY} characters")
        wanted = json.dumps(request, sort_keys=True)
        earlier = self._claim(key, wanted)
        if earlier is not None:
            return earlier, True
        try:
            answer = act()
        except BaseException:
            self._settle(key, None)
            raise
        self._settle(key, _Known(wanted, answer, self._clock.monotonic() + _LIFETIME))
        return answer, False

    def _claim(self, key: str, wanted: str) -> Body | None:
        with self._changed:
            self._forget_old()
            while key in self._known:
                known = self._known[key]
                if known.request != wanted:
                    raise _conflict(key)
                if known.answer is not None:
                    return known.answer
                self._changed.wait()
            self._known[key] = _Known(wanted, None, float("inf"))
            return None

    def _settle(self, key: str, known: _Known | None) -> None:
        with self._changed:
            del self._known[key]
            if known is not None:
                self._known[key] = known
            self._changed.notify_all()

    def _forget_old(self) -> None:
        now = self._clock.monotonic()
        self._known = {key: known for key, known in self._known.items() if known.expires > now}


def _conflict(key: str) -> ServiceError:
    return ServiceError(
        409,
        "idempotency_conflict",
        f"The idempotency key {key} was used with another request body",
        {"idempotencyKey": key},
    )
