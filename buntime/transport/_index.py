"""The interactions of a cassette, each to be played once."""

from __future__ import annotations

import json
import threading
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

from buntime.transport.base import Request
from buntime.transport.cassette import Interaction
from buntime.transport.matching import captured, key_of, template
from buntime.transport.scrub import Secrets

_client_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

_Sent = tuple[str, str, tuple[tuple[str, str], ...], Optional[bytes]]


class Index:
    """Finds the first interaction left that answers a request. Safe to use from several threads."""

    def __init__(self, interactions: Sequence[Interaction]) -> None:
        self._interactions = interactions
        self._lock = threading.Lock()
        self._played: set[int] = set()
        self._as_sent: dict[_Sent, deque[int]] = defaultdict(deque)
        for number, item in enumerate(interactions):
            sent = _as_sent(item.request)
            if sent is not None:
                self._as_sent[sent].append(number)
        self._by_key: Optional[dict[str, deque[int]]] = None
        self._templates: list[str] = []

    def left(self) -> list[tuple[int, Interaction]]:
        """Return what was not played, each with its number from 1."""
        with self._lock:
            return [
                (number + 1, item)
                for number, item in enumerate(self._interactions)
                if number not in self._played
            ]

    def identical(self, request: Request) -> Optional[Interaction]:
        """Take what was recorded for these very bytes, in which there is no secret then."""
        queue = self._as_sent.get((request.method, request.path, request.query, request.body))
        if queue is None:
            return None
        with self._lock:
            return self._take(queue)

    def equal(self, key: str) -> Optional[Interaction]:
        """Take what was recorded for this key."""
        with self._lock:
            return self._take(self._keys().get(key, ()))

    def with_unknown_secrets(
        self, key: str, secrets: Secrets, found: dict[str, Any]
    ) -> Optional[Interaction]:
        """Take a recording whose secrets were told later, or by another thread, and learn them."""
        with self._lock:
            for recording in self._templates:
                queue, made = self._keys()[recording], template(recording)
                match = made[0].fullmatch(key) if made else None
                if match is None or made is None:
                    continue
                values = captured(made[1], match)
                item = None if any(map(secrets.knows, values)) else self._take(queue)
                if item is not None:
                    for place, value in values.items():
                        secrets.add(place, value, found)
                    return item
        return None

    def _take(self, queue: Iterable[int]) -> Optional[Interaction]:
        """Return the first that was not played: each is in two queues."""
        while isinstance(queue, deque) and queue:
            number = queue.popleft()
            if number not in self._played:
                self._played.add(number)
                return self._interactions[number]
        return None

    def _keys(self) -> dict[str, deque[int]]:
        """Make the second index when it is first needed: most requests are found in the first."""
        if self._by_key is None:
            self._by_key = defaultdict(deque)
            for number, item in enumerate(self._interactions):
                self._by_key[key_of(item.request)].append(number)
            self._templates = [key for key in self._by_key if "«" in key or "\\u00ab" in key]
        return self._by_key


def _as_sent(request: Mapping[str, Any]) -> Optional[_Sent]:
    """Return a request as our client sends it; ``None`` for another form, which is found by its key."""
    query = tuple((name, value) for name, value in request.get("query", ()))
    if "json" not in request:
        plain = "text" not in request and "base64" not in request
        return (request["method"], request["path"], query, None) if plain else None
    try:
        body = _client_json(request["json"]).encode()
    except UnicodeEncodeError:
        return None
    return request["method"], request["path"], query, body
