"""Recording again without a change: what varies from run to run keeps its recorded value."""

from __future__ import annotations

import json
import re
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

import attrs

from buntime.cassette.file import Interaction
from buntime.cassette.match import key_of, without_numbers
from buntime.cassette.secrets.registry import PLACEHOLDER, in_form, without_form
from buntime.wire import volatile
from buntime.wire.events import read_event

_NUMBERED = re.compile(r"\bses([_-])([0-9]+)\b")


def merge_recordings(
    old: Sequence[Interaction], new: Sequence[Interaction], *, threaded: bool = False, quiet: bool = False
) -> tuple[Interaction, ...]:
    """Return ``new`` with each interaction of ``old`` that means the same.

    ``quiet`` takes over also in one that changed what varies from run to run.
    ``threaded`` says that several threads made the calls. Then numbers of sessions and the order of
    interactions are as in ``old``, as far as they can be, since chance decides on them.
    """
    if threaded:
        new = _renumbered(old, new)
    places: dict[str, deque[int]] = defaultdict(deque)
    for place, item in enumerate(old):
        places[without_numbers(key_of(item.request))].append(place)
    pairs: list[tuple[int, Optional[int], Interaction]] = []
    last = -1
    for item in new:
        queue = places[without_numbers(key_of(item.request))]
        index: Optional[int] = queue.popleft() if queue else None
        last = last if index is None else index
        pairs.append((last, index, item))
    if threaded:
        pairs.sort(key=lambda pair: pair[0])
    items = [item for _, _, item in pairs]
    items = _with_secrets_numbered(items) if threaded else items
    return tuple(
        item if index is None else _kept(old[index], item, quiet=quiet)
        for (_, index, _), item in zip(pairs, items)
    )


def _kept(old: Interaction, new: Interaction, *, quiet: bool) -> Interaction:
    if same(old, new):
        return old
    return attrs.evolve(new, data=_with_figures(old.data, new.data)) if quiet else new


def _with_figures(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    before, after = old.get("response"), new.get("response")
    if before is None or after is None:
        return dict(new)
    headers = {
        name: before.get("headers", {}).get(name, value) if name in volatile.VOLATILE_HEADERS else value
        for name, value in after.get("headers", {}).items()
    }
    found = {**after, "headers": headers}
    if "json" in before and "json" in after:
        found["json"] = volatile.with_figures(before["json"], after["json"])
    if "events" in before and "events" in after:
        found["events"] = _events_with_figures(before["events"], after["events"])
    return {**new, "response": found}


def _events_with_figures(old: Sequence[Any], new: Sequence[Any]) -> list[Any]:
    """Take over times and figures, of the last event alone where there are more or fewer pieces."""
    first = 0 if len(old) == len(new) else max(0, len(new) - 1)
    pairs = zip(old[-1:] if first else old, new[first:])
    return [
        *new[:first],
        *([before[0], *volatile.with_figures(before[1:], after[1:])] for before, after in pairs),
    ]


def _with_secrets_numbered(items: Sequence[Interaction]) -> list[Interaction]:
    """Number the secrets of a name by their first appearance: in which order threads told them is chance."""
    numbers: dict[str, dict[str, str]] = defaultdict(dict)

    def renumber(found: re.Match[str]) -> str:
        place, form = without_form(found.group())
        name = without_numbers(place)[1:-1]
        known = numbers[name]
        return in_form(known.setdefault(place, f"«{name}:{len(known) + 1}»" if known else f"«{name}»"), form)

    texts = (PLACEHOLDER.sub(renumber, json.dumps(item.data, ensure_ascii=False)) for item in items)
    return [attrs.evolve(item, data=json.loads(text)) for item, text in zip(items, texts)]


def same(old: Interaction, new: Interaction) -> bool:
    """Whether two interactions differ in nothing but what varies from run to run."""
    return _steady(old) == _steady(new) or _both_left(old, new)


def _steady(item: Interaction) -> Any:
    error = item.error
    return {
        "response": None if item.response is None else _steady_response(item.response, item.request),
        "error": None if error is None else (error["kind"], error["phase"]),
        "request": key_of(item.request),
    }


def _steady_response(response: Mapping[str, Any], request: Mapping[str, Any]) -> dict[str, Any]:
    helper = volatile.helper_arguments(request["method"], request["path"], request.get("json")) is not None
    found = dict(response)
    found["headers"] = {
        name: "varies" if name in volatile.VOLATILE_HEADERS else value
        for name, value in response.get("headers", {}).items()
    }
    if "json" in found:
        found["json"] = volatile.steady(found["json"], helper=helper)
    if "events" in found:
        texts, others = joined(found["events"])
        found["events"] = [texts, volatile.steady(others, helper=helper)]
    return found


def joined(events: Iterable[Sequence[Any]]) -> tuple[dict[str, str], list[Any]]:
    """Return the output of a stream as one text for each kind, and what else is in it, without its times."""
    texts: dict[str, list[str]] = defaultdict(list)
    others: list[Any] = []
    for _, name, *data in events:
        event = read_event(name, data[0]) if data else None
        if event is None or event.text is None:
            others.append([name, *data])
        else:
            texts[event.kind].append(event.text)
    return {kind: "".join(pieces) for kind, pieces in sorted(texts.items())}, others


def _both_left(old: Interaction, new: Interaction) -> bool:
    """Whether both answers were left by the program, one perhaps some bytes later than the other."""
    if not (old.response and new.response and old.response.get("left") and new.response.get("left")):
        return False
    bodies: dict[str, Any] = {"events": [], "json": None, "text": None}
    rest = [{**item.response, **bodies} for item in (old, new) if item.response]
    if key_of(old.request) != key_of(new.request) or rest[0] != rest[1]:
        return False
    one, other = (joined(item.response.get("events", []))[0] for item in (old, new) if item.response)
    return all(
        one.get(kind, "").startswith(other.get(kind, "")) or other.get(kind, "").startswith(one.get(kind, ""))
        for kind in {*one, *other}
    )


def _renumbered(old: Sequence[Interaction], new: Sequence[Interaction]) -> list[Interaction]:
    """Give the sessions the numbers that they have in ``old``, and the others what is free, in order."""
    known: dict[str, deque[str]] = defaultdict(deque)
    for item in old:
        number = _created(item)
        if number is not None:
            known[key_of(item.request)].append(number)
    names: dict[str, Optional[str]] = {}
    for item in new:
        number = _created(item)
        if number is not None and number not in names:
            queue = known[key_of(item.request)]
            names[number] = queue.popleft() if queue else None
    taken = set(names.values())
    free = (str(number) for number in range(1, len(old) + len(new) + 2) if str(number) not in taken)
    numbers = {number: name or next(free) for number, name in names.items()}
    if all(number == name for number, name in numbers.items()):
        return list(new)

    def rename(found: re.Match[str]) -> str:
        return f"ses{found[1]}{numbers.get(found[2], found[2])}"

    return [attrs.evolve(item, data=json.loads(_NUMBERED.sub(rename, json.dumps(item.data)))) for item in new]


def _created(item: Interaction) -> Optional[str]:
    body = (item.response or {}).get("json")
    session_id, _ = volatile.created(item.request["method"], item.request["path"], body)
    found = _NUMBERED.fullmatch(session_id or "")
    return found[2] if found else None
