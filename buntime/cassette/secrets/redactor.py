"""Exchanges as a cassette may show them: without secrets, and with numbers for ids."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Callable, Optional

from buntime._http import Request
from buntime.cassette.body import stored
from buntime.cassette.file import Interaction
from buntime.cassette.ids import Numbering
from buntime.cassette.merge import joined
from buntime.cassette.pending import PendingInteraction
from buntime.cassette.secrets.detect import known_secrets, may_hold_known
from buntime.cassette.secrets.encodings import base64_runs
from buntime.cassette.secrets.registry import Secrets, Span, hide_named, map_strings, replaced
from buntime.wire import volatile
from buntime.wire.events import ParsedEvent, read_event

_RECURRING = 100
"""Characters up to which a text is likely to come again: an id, a header's value, a status."""
_REMEMBERED = 1000
_IN_JSON = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"(\s*:)?')
"""A text in JSON, and what makes it the name of a field."""

Hide = Callable[[str], str]
Spans = Callable[[str], list[Span]]
Place = Callable[[str, Any], str]


def stored_request(request: Request) -> dict[str, Any]:
    """Return a request in the form of a cassette, without the library's own programs."""
    found: dict[str, Any] = {"method": request.method, "path": request.path}
    if request.query:
        found["query"] = [list(pair) for pair in request.query]
    if request.body:
        kinds = (value for name, value in request.headers if name.lower() == "content-type")
        found.update(stored(request.body, next(kinds, None)))
    if "json" in found:
        found["json"] = volatile.without_program(request.method, request.path, found["json"])
    return found


def named_request(request: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """Return a request of a cassette without what is secret by its name."""
    found = dict(request)
    if "query" in request:
        named = hide_named([{name: value} for name, value in request["query"]], {}, place)
        found["query"] = [list(pair) for item in named for pair in item.items()]
    if "json" in request:
        env = volatile.environment(request["method"], request["path"], request["json"])
        found["json"] = hide_named(request["json"], env, place)
    return found


def told_request(request: Request, secrets: Secrets) -> dict[str, Any]:
    """Return a request in the form of a cassette without what is secret by its name; learn its secrets."""
    found = stored_request(request)
    secrets.learn_headers(request.headers)
    named = named_request(found, secrets.place)
    secrets.learn_arguments(request.method, request.path, found.get("json"))
    return named


def hidden_request(request: Mapping[str, Any], hide: Hide) -> dict[str, Any]:
    """Return a request of a cassette with ``hide`` of every text."""
    found = dict(request)
    found["path"] = hide(request["path"])
    if "query" in request:
        found["query"] = [[hide(name), hide(value)] for name, value in request["query"]]
    if "json" in request:
        found["json"] = map_strings(request["json"], hide)
    found.update(_hidden_body(request, hide))
    return found


def _hidden_body(body: Mapping[str, Any], hide: Hide) -> dict[str, Any]:
    if "text" in body:
        return {"text": hide(body["text"])}
    if "base64" not in body:
        return {}
    # Latin-1 gives each byte a character, so that an ASCII secret is found among any bytes.
    text = hide(base64.b64decode(body["base64"]).decode("latin-1"))
    return {"base64": base64.b64encode(text.encode("latin-1", "replace")).decode()}


def hiding(spans: Spans) -> Hide:
    """Return what replaces the spans in a text."""
    return lambda text: replaced(text, spans(text))


def live_request(request: Mapping[str, Any], secrets: Secrets) -> dict[str, Any]:
    """Return a request that :func:`told_request` returned as a cassette has it."""
    pieces = _is_of_pieces(request)
    return hidden_request(request, hiding(in_pieces(secrets.spans, secrets) if pieces else secrets.spans))


def _is_of_pieces(request: Mapping[str, Any]) -> bool:
    return volatile.is_of_pieces(request["method"], request["path"], request.get("json"))


def in_pieces(spans: Spans, secrets: Secrets) -> Spans:
    """Return what finds secrets also where they are cut, as what is sent or asked for is a piece."""

    def all_spans(text: str) -> list[Span]:
        found = [*spans(text), *secrets.at_the_ends(text, begun=True)]
        for inner in _IN_JSON.finditer(text):
            at = inner.start(1)
            ends = () if inner[2] else secrets.at_the_ends(inner[1], begun=True)
            found += [(at + start, at + end, place) for start, end, place in ends]
        return found

    return all_spans


def _of_broken_off(spans: Spans, secrets: Secrets) -> Spans:
    return lambda text: [*spans(text), *secrets.at_the_ends(text)]


class Redactor:
    """What is known of one recording's secrets and ids. The caller sees to locking."""

    def __init__(self, allow: Iterable[str]) -> None:
        self.secrets = Secrets()
        self._numbering = Numbering()
        self._allow = tuple(allow)
        self._stamps: dict[tuple[Any, ...], list[str]] = {}
        self._seen = 0
        self._state = (0, 0)
        self._surely_clean = True
        self._hidden_texts = _Remembered(self._hide)

    def sent(self, request: Request) -> dict[str, Any]:
        """Return a request in the form of a cassette, and know its secrets from now on."""
        return told_request(request, self.secrets)

    def request(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return what :meth:`sent` returned as the cassette has it."""
        self._forget_what_may_be_hidden_now()
        return hidden_request(request, self._hidden_texts.__getitem__)

    def interaction(self, take: PendingInteraction) -> tuple[dict[str, Any], bool]:
        """Return a finished exchange as the cassette has it, and whether it surely has no well-known key."""
        outcome = take.outcome()
        response = outcome.get("response")
        if response is not None:
            self._learn(take, response)
            self._number_stamp(take.stored, response)
        self._forget_what_may_be_hidden_now()
        self._surely_clean = True
        hide = self._hidden_texts.__getitem__
        return self._hidden({"request": take.stored, **outcome}, hide, self._spans), self._surely_clean

    def again(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return an interaction that was masked before without the secrets that came since."""
        return self._hidden(data, hiding(self.secrets.spans), self.secrets.spans)

    def _hidden(self, data: Mapping[str, Any], hide: Hide, spans: Spans) -> dict[str, Any]:
        if _is_of_pieces(data["request"]):
            spans = in_pieces(spans, self.secrets)
            hide = self._looked_at_again(spans)
        found: dict[str, Any] = {"request": hidden_request(data["request"], hide)}
        if "response" in data:
            if "error" in data or data["response"].get("left"):
                spans = _of_broken_off(spans, self.secrets)
                hide = self._looked_at_again(spans)
            if "events" in data["response"]:
                self._surely_clean = False
            found["response"] = _hidden_response(data["response"], hide, spans, self.secrets.place)
        if "error" in data:
            found["error"] = {**data["error"], "message": hide(data["error"]["message"])}
        return found

    def _looked_at_again(self, spans: Spans) -> Hide:
        self._surely_clean = False
        return hiding(spans)

    def _learn(self, take: PendingInteraction, response: dict[str, Any]) -> None:
        """Know the secrets and ids that the service invented."""
        self.secrets.learn_cookies(take.response.headers if take.response else {})
        body = response.get("json")
        if body is not None:
            response["json"] = hide_named(body, {}, self.secrets.place)
        session_id, preview = volatile.created(take.request.method, take.request.path, body)
        if session_id is not None:
            self._numbering.note(session_id, preview)

    def _number_stamp(self, request: Mapping[str, Any], response: dict[str, Any]) -> None:
        """Give the state of a file, in a helper's answer, a number in place of its time."""
        body, answer = request.get("json"), response.get("json")
        arguments = volatile.helper_arguments(request["method"], request["path"], body)
        stamp = None if arguments is None else volatile.stamp(answer)
        if arguments is None or stamp is None or not isinstance(body, dict) or not isinstance(answer, dict):
            return
        seen = self._stamps.setdefault((body.get("sessionId"), arguments.get("path")), [])
        if stamp not in seen:
            seen.append(stamp)
        number = json.dumps(f"stamp_{seen.index(stamp) + 1}")
        response["json"] = {**answer, "stdout": answer["stdout"].replace(json.dumps(stamp), number)}

    def new_secrets(self) -> list[bytes]:
        """Return the secrets that came since the last call, as a line of a journal would show them."""
        values = self.secrets.searched
        if len(values) == self._seen:
            return []
        new, self._seen = values[self._seen :], len(values)
        return [json.dumps(value)[1:-1].encode() for value, _ in new]

    def blocked(self, interaction: Interaction) -> list[str]:
        """Return what an interaction holds that looks like a well-known key, and where; never the key."""
        found = []
        for part, value in interaction.data.items():
            for place, text in _texts(part, value):
                found += [f"{what} ({place})" for what in known_secrets(text, self._allow)]
                for inside in base64_runs(text):
                    found += [f"{what} ({place}, in base64)" for what in known_secrets(inside, self._allow)]
        return list(dict.fromkeys(found))

    def _spans(self, text: str) -> list[Span]:
        return [*self.secrets.spans(text), *self._numbering.spans(text)]

    def _hide(self, text: str) -> tuple[str, bool]:
        """Return what a text becomes, and whether that is worth remembering."""
        found = replaced(text, self._spans(text))
        if is_surely_clean(found):
            return found, len(text) <= _RECURRING
        self._surely_clean = False
        return found, False

    def _forget_what_may_be_hidden_now(self) -> None:
        state = (len(self.secrets.searched), self._numbering.count)
        if state != self._state or len(self._hidden_texts) >= _REMEMBERED:
            self._state = state
            self._hidden_texts.clear()


class _Remembered(dict[str, str]):
    """What ``hide`` makes of texts: an interaction has few that no other had before."""

    def __init__(self, hide: Callable[[str], tuple[str, bool]]) -> None:
        super().__init__()
        self._hide = hide

    def __missing__(self, text: str) -> str:
        found, recurs = self._hide(text)
        if recurs and len(self) < _REMEMBERED:
            self[text] = found
        return found


def is_surely_clean(text: str) -> bool:
    """Whether a text shows at a glance that it holds no well-known key."""
    return not (may_hold_known(text) or any(map(may_hold_known, base64_runs(text))))


def _hidden_response(response: Mapping[str, Any], hide: Hide, spans: Spans, place: Place) -> dict[str, Any]:
    found = dict(response)
    found["headers"] = {name: hide(value) for name, value in response.get("headers", {}).items()}
    if "json" in response:
        found["json"] = map_strings(response["json"], hide)
    if "events" in response:
        found["events"] = _hidden_events(response["events"], hide, spans, place)
    found.update(_hidden_body(response, hide))
    return found


def _hidden_events(events: Iterable[list[Any]], hide: Hide, spans: Spans, place: Place) -> list[list[Any]]:
    """Hide what must be hidden, also where it comes in pieces."""
    events = [list(event) for event in events]
    outputs: dict[str, list[tuple[list[Any], str, ParsedEvent]]] = {}
    for event in events:
        parsed = read_event(event[1], event[2]) if len(event) > 2 else None
        if parsed is None or parsed.text is None:
            event[-1] = map_strings(hide_named(event[-1], {}, place), hide)
        else:
            outputs.setdefault(parsed.kind, []).append((event, parsed.text, parsed))
    for pieces in outputs.values():
        hidden = _hidden_pieces([text for _, text, _ in pieces], spans)
        for (event, _, parsed), text in zip(pieces, hidden):
            event[2] = parsed.with_text(text)
    return events


def _hidden_pieces(texts: list[str], spans: Spans) -> list[str]:
    """Hide in several texts what is in all of them joined; a name goes where what it replaces begins."""
    whole = "".join(texts)
    masked: list[Span] = []
    for candidate in sorted(spans(whole), key=lambda span: (span[0], -span[1])):
        if not masked or candidate[0] >= masked[-1][1]:
            masked.append(candidate)
    if not masked:
        return texts
    found, begin, waiting = [], 0, iter(masked)
    span: Optional[Span] = next(waiting, None)
    for text in texts:
        end = begin + len(text)
        piece, at = "", begin
        while span is not None and span[0] < end:
            piece += whole[at : max(at, span[0])] + (span[2] if span[0] >= begin else "")
            at = min(span[1], end)
            if span[1] > end:
                break
            span = next(waiting, None)
        found.append(piece + whole[at:end])
        begin = end
    return found


def _texts(place: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield each text of a value with its place; bytes as text, the output of a stream in one."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for name, item in value.items():
            if name == "base64" and isinstance(item, str):
                yield f"{place} body", base64.b64decode(item).decode("latin-1")
            elif name == "events":
                texts, others = joined(item)
                yield from _texts(f"{place} stream", texts)
                yield from _texts(f"{place} stream", others)
            else:
                yield f"{place} {name}, a name", name
                yield from _texts(place if name == "json" else f"{place} {name}", item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(place, item)
