"""The interactions of a cassette, each to be played once."""

from __future__ import annotations

import base64
import json
import threading
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from heapq import heappop, heappush
from itertools import chain, product
from typing import Any, Callable, Optional

from buntime._http import Pairs, Request
from buntime._support.forks import reset_after_fork
from buntime._support.json_encoder import json_encoder
from buntime.cassette.bindings import Bindings
from buntime.cassette.file import Interaction
from buntime.cassette.ignore import Ignore
from buntime.cassette.match import BODY_FORMS, MARK, key_of
from buntime.cassette.secrets.detect import credentials
from buntime.cassette.secrets.placeholders import PLACEHOLDER, split_form

_client_json = json_encoder(ensure_ascii=False)

_ANY_TEST = ""
_Preference = Optional[Callable[[Interaction], bool]]
_Sent = tuple[str, str, Pairs, bytes]
_Shape = tuple[str, Optional[str], str, int]
_Template = tuple[int, dict[str, Any]]
"""The number of an interaction, and its request with placeholders."""


class Index:
    """Finds the first unplayed interaction that answers a request. Safe to use from several threads.

    Those of the same ``test`` come before those of other tests, and of none: tests that share a cassette may
    send equal requests. So an index has an interaction of a test twice, for that test and for any. There are
    three indexes, so that each request is found without a look at all interactions:

    1. requests as the client sends them, byte for byte, if they have no secret;
    2. requests by their keys; one with secrets is added as soon as the run has a value for each of them,
       so it is filled in once, however often it is looked for;
    3. requests with secrets by their shape: those are compared one after another, which binds new secrets.
    """

    def __init__(
        self,
        interactions: Sequence[Interaction],
        bindings: Bindings,
        ignore: Ignore,
        played: Mapping[int, Optional[str]],
    ) -> None:
        self._ignore = ignore
        self._interactions = interactions
        self._bindings = bindings
        self._lock = reset_after_fork(threading.Lock())
        # The state of an interaction is here alone: one may be in two of the indexes, and is removed from an
        # index only when it is passed there.
        self._played = {**played}
        self._by_bytes: dict[tuple[Optional[str], _Sent], list[int]] = defaultdict(list)
        for number, item in enumerate(() if self._ignore else interactions):
            sent = _as_sent(item.request)
            if sent is not None:
                self._add(self._by_bytes, sent, number)
        self._headers: Pairs = ()
        self._by_key: dict[tuple[Optional[str], str], list[int]] = defaultdict(list)
        """Heaps: a request with secrets joins when they are known, before or behind others of its key."""
        self._by_shape: dict[tuple[Optional[str], _Shape], deque[_Template]] = defaultdict(deque)
        self._waiting: dict[str, list[tuple[_Template, set[str]]]] = defaultdict(list)
        """The templates with each placeholder without a value, and all such placeholders of each."""

    def progress(self) -> tuple[dict[int, Optional[str]], Bindings]:
        """Return the tests of the played interactions by their numbers from 0, and the bound secrets."""
        with self._lock:
            return {**self._played}, deepcopy(self._bindings)

    def unplayed(self) -> list[tuple[int, Interaction]]:
        """Return the interactions that were not played, each with its number from 1."""
        with self._lock:
            items = enumerate(self._interactions, 1)
            return [(number, item) for number, item in items if number - 1 not in self._played]

    def bind_credentials(self, headers: Pairs) -> None:
        """Take the credentials of a request for those of the recording."""
        if headers != self._headers:
            with self._lock:
                for name, value in credentials(headers):
                    self._bindings.bind_credential(name, value)
                self._headers = headers

    def pop_exact(self, request: Request, test: Optional[str]) -> Optional[Interaction]:
        """Return the first unplayed interaction whose request has no secret and the same bytes."""
        sent = (request.method, request.path, request.query, request.content)
        with self._lock:
            return self._pop([self._by_bytes.get((each, sent)) for each in (test, _ANY_TEST, None)], test)

    def pop_equivalent(
        self, request: Mapping[str, Any], test: Optional[str], prefers: _Preference
    ) -> Optional[Interaction]:
        """Return the first unplayed interaction with an equal request, or one that has other secrets.

        One that ``prefers`` accepts comes before the others with an equal request.
        """
        sent = _comparable(self._ignore.request(request))
        with self._lock:
            self._make_keys()
            key = key_of(sent)
            queues = [self._by_key.get((each, key), []) for each in (test, _ANY_TEST, None)]
            if prefers is not None:
                for number in chain.from_iterable(map(sorted, queues)):
                    if number not in self._played and prefers(self._interactions[number]):
                        return self._play(number, test)
            if (item := self._pop(queues, test)) is not None:
                return item
            # The last resort is a comparison, which binds the secrets of the run to those of the recording.
            # Its shape keeps the candidates few, and what it binds moves others of them to the keys.
            for number, template in self._candidates(sent, test):
                if self._bindings.match(template, sent):
                    self._fill_templates()
                    return self._play(number, test)
        return None

    def _pop(self, queues: Iterable[Optional[list[int]]], test: Optional[str]) -> Optional[Interaction]:
        for queue in queues:
            while queue:
                if (number := heappop(queue)) not in self._played:
                    return self._play(number, test)
        return None

    def _candidates(self, request: Mapping[str, Any], test: Optional[str]) -> Iterator[_Template]:
        method, path, form, length = _shape(request)
        shapes = [(method, path, form, length), (method, None, form, length)]
        for each in product((test, _ANY_TEST, None), shapes):
            queue = self._by_shape.get(each, deque())
            # Recordings are played in order, mostly: else each look-up would pass all that were played.
            while queue and queue[0][0] in self._played:
                queue.popleft()
            yield from (template for template in queue if template[0] not in self._played)

    def _play(self, number: int, test: Optional[str]) -> Interaction:
        self._played[number] = test
        return self._interactions[number]

    def _make_keys(self) -> None:
        """Make the other indexes when one is first needed: most requests are found by their bytes."""
        if not (self._by_key or self._by_shape):
            for number, item in enumerate(self._interactions):
                request = _comparable(self._ignore.request(item.request))
                key = key_of(request)
                if MARK in key:
                    self._add_template((number, request))
                else:
                    self._add(self._by_key, key, number)
            # All that is known so far counts as new once: templates of these secrets get their keys below.
            self._bindings.new = [placeholder for placeholder, _ in self._bindings.items()]
        self._fill_templates()

    def _add(self, index: dict[Any, list[int]], key: object, number: int) -> None:
        test = self._interactions[number].request.get("test")
        for each in {test, test and _ANY_TEST}:
            heappush(index[each, key], number)

    def _add_template(self, template: _Template) -> None:
        test = self._interactions[template[0]].request.get("test")
        for each in {test, test and _ANY_TEST}:
            self._by_shape[each, _shape(template[1])].append(template)
        text = json.dumps(template[1], ensure_ascii=False)
        unbound = {split_form(placeholder)[0] for placeholder in PLACEHOLDER.findall(text)}
        for placeholder in unbound:
            self._waiting[placeholder].append((template, unbound))

    def _fill_templates(self) -> None:
        """Add the requests to the keys in which the secrets bound since the last call were the last ones."""
        new, self._bindings.new = self._bindings.new, []
        for placeholder in new:
            for (number, request), unbound in self._waiting.pop(placeholder, ()):
                unbound.discard(placeholder)
                if not unbound:
                    self._add(self._by_key, key_of(self._bindings.fill(request)), number)


def _comparable(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request with its query in order, and with bytes as text, in which a secret is seen."""
    comparable = dict(request)
    if "query" in request:
        comparable["query"] = sorted(request["query"], key=lambda pair: str(pair[0]))
    if "base64" in request:
        comparable["base64"] = base64.b64decode(request["base64"]).decode("latin-1")
    return comparable


def _shape(request: Mapping[str, Any]) -> _Shape:
    path = None if "«" in request["path"] else request["path"]
    body = request.get("json")
    form = next((form for form in BODY_FORMS if form in request), "")
    return request["method"], path, form, len(body) if isinstance(body, (dict, list)) else 0


def _as_sent(request: Mapping[str, Any]) -> Optional[_Sent]:
    """Return a request as our client sends it; ``None`` for another form, which is found by its key."""
    query = tuple(map(tuple, request["query"])) if "query" in request else ()
    if "text" in request or "base64" in request:
        return None
    try:
        body = _client_json(request["json"]).encode() if "json" in request else b""
    except UnicodeEncodeError:
        return None
    return request["method"], request["path"], query, body
