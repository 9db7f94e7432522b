"""The interactions of a cassette, each to be played once."""

from __future__ import annotations

import json
import threading
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

from buntime._http import Request
from buntime._support.forks import reset_after_fork
from buntime.cassette.file import Interaction
from buntime.cassette.match import key_of, match_placeholders, places, without_numbers
from buntime.cassette.secrets.encodings import decoded
from buntime.cassette.secrets.registry import PLACEHOLDER, Secrets, in_form, without_form

_client_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

_Sent = tuple[str, str, tuple[tuple[str, str], ...], Optional[bytes]]
_Pairs = Iterable[tuple[str, str]]


class Index:
    """Finds the first interaction left that answers a request. Safe to use from several threads."""

    def __init__(self, interactions: Sequence[Interaction], secrets: Secrets) -> None:
        self._interactions = interactions
        self._secrets = secrets
        self._lock = reset_after_fork(threading.Lock())
        self._played: set[int] = set()
        self._as_sent: dict[_Sent, deque[int]] = defaultdict(deque)
        for number, item in enumerate(interactions):
            sent = _as_sent(item.request)
            if sent is not None:
                self._as_sent[sent].append(number)
        self._keys: list[str] = []
        self._families: dict[str, deque[int]] = defaultdict(deque)
        self._live: dict[str, str] = {}
        self._recorded: dict[str, str] = {}
        self._texts: dict[str, str] = {}
        """What stands for a secret in a form from which it cannot be told, by its placeholder."""

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
            while queue:
                number = queue.popleft()
                if number not in self._played:
                    return self._play(number)
        return None

    def equal(self, key: str) -> Optional[Interaction]:
        """Take what was recorded for this key.

        Secrets are equal where they are the same ones in all that was played; where there is no such
        recording, one whose secrets were told later, or by another thread.
        """
        with self._lock:
            self._make_keys()
            queue, sent = self._families.get(without_numbers(key), deque()), places(key)
            while queue and queue[0] in self._played:
                queue.popleft()
            for number in queue:
                if number not in self._played and self._bound(zip(places(self._keys[number]), sent)):
                    return self._play(number)
            return self._with_unknown_secrets(key)

    def live(self, place: str) -> Any:
        """Return the secret of the program that runs for a placeholder of the recording."""
        if place in self._texts:
            return self._texts[place]
        secret, form = without_form(place)
        live = self._live.get(secret)
        if live is None:
            return place if secret in self._recorded else self._secrets.value(place)
        return self._secrets.value(in_form(live, form))

    def _with_unknown_secrets(self, key: str) -> Optional[Interaction]:
        for number, recording in enumerate(self._keys):
            pairs = None if number in self._played else match_placeholders(recording, key)
            if pairs is None:
                continue
            if any(self._is_bound(place) and not PLACEHOLDER.fullmatch(text) for place, text in pairs):
                continue
            texts = {place: text for place, text in pairs if _secret_in(place, text) is None}
            told = [(place, text) for place, text in pairs if place not in texts]
            if self._bound((without_form(place)[0], self._place(place, text)) for place, text in told):
                self._texts.update(texts)
                return self._play(number)
        return None

    def _is_bound(self, place: str) -> bool:
        return without_form(place)[0] in self._live

    def _place(self, recorded: str, text: str) -> str:
        """Return the placeholder of what is found to be a secret only now."""
        if PLACEHOLDER.fullmatch(text):
            return without_form(text)[0]
        return self._secrets.place(
            without_numbers(without_form(recorded)[0])[1:-1], _secret_in(recorded, text)
        )

    def _bound(self, pairs: _Pairs) -> bool:
        """Bind placeholders of the recording to the program's, one to one; false where they are not."""
        live, recorded = dict(self._live), dict(self._recorded)
        for place, now in pairs:
            if live.setdefault(place, now) != now or recorded.setdefault(now, place) != place:
                return False
        self._live, self._recorded = live, recorded
        return True

    def _play(self, number: int) -> Interaction:
        self._played.add(number)
        return self._interactions[number]

    def _make_keys(self) -> None:
        """Make the second index when it is first needed: most requests are found in the first."""
        if not self._keys:
            self._keys = [key_of(item.request) for item in self._interactions]
            for number, key in enumerate(self._keys):
                self._families[without_numbers(key)].append(number)


def _secret_in(place: str, text: str) -> Optional[str]:
    """Return the secret of which a text is a form, or the placeholder that it is; ``None`` for neither."""
    return text if PLACEHOLDER.fullmatch(text) else decoded(text, without_form(place)[1])


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
