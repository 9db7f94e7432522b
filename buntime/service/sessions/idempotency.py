"""Acting once for each idempotency key."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any, Callable

import attrs

from buntime._support.forks import reset_after_fork
from buntime.service.clock import ServiceClock
from buntime.service.errors import ServiceError, invalid

_LIFETIME = 24 * 3600
_MAX_KEY = 255

JsonObject = Mapping[str, Any]


@attrs.frozen
class _Entry:
    """The request of a key; ``response`` is ``None`` while the first call is in progress."""

    request: str
    response: JsonObject | None = None
    expires: float = float("inf")


class Idempotency:
    """Responses by idempotency key, each kept for 24 hours."""

    def __init__(self, clock: ServiceClock) -> None:
        self._clock = clock
        self._changed = reset_after_fork(threading.Condition())
        # A completed key is at its end, so the entries with a response are in the order in which they expire.
        self._entries: dict[str, _Entry] = {}

    def once(self, key: str, request: JsonObject, act: Callable[[], JsonObject]) -> tuple[JsonObject, bool]:
        """Return the response to ``request``, and whether an earlier call with the key created it.

        ``act`` creates the response. If it raises, nothing is kept, and the next call with the key acts
        again. A call with a key in progress waits for it. Raises a 409 ``idempotency_conflict`` if the key
        was used with another request.
        """
        if not 0 < len(key) <= _MAX_KEY:
            raise invalid("Idempotency-Key", f"Idempotency-Key must have 1 to {_MAX_KEY} characters")
        canonical = json.dumps(request, sort_keys=True)
        earlier = self._claim(key, canonical)
        if earlier is not None:
            return earlier, True
        entry = None
        try:
            response = act()
            entry = _Entry(canonical, response, self._clock.monotonic() + _LIFETIME)
        finally:
            with self._changed:
                del self._entries[key]
                if entry is not None:
                    self._entries[key] = entry
                self._changed.notify_all()
        return response, False

    def _claim(self, key: str, canonical: str) -> JsonObject | None:
        with self._changed:
            self._remove_expired()
            while key in self._entries:
                entry = self._entries[key]
                if entry.request != canonical:
                    raise ServiceError(
                        "idempotency_conflict",
                        f"The idempotency key {key} was used with another request body",
                        {"idempotencyKey": key},
                    )
                if entry.response is not None:
                    return entry.response
                self._changed.wait()
            self._entries[key] = _Entry(canonical)
            return None

    def _remove_expired(self) -> None:
        now = self._clock.monotonic()
        expired = []
        for key, entry in self._entries.items():
            if entry.response is not None and entry.expires > now:
                break
            if entry.response is not None:
                expired.append(key)
        for key in expired:
            del self._entries[key]
