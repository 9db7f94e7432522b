"""Recording again without a change: values that vary from run to run keep their recorded value."""

from __future__ import annotations

import json
import re
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from typing import Any, Optional

import attrs

from buntime.cassette.body import join_outputs
from buntime.cassette.file import Interaction
from buntime.cassette.match import key_of, without_numbers
from buntime.cassette.secrets.placeholders import PLACEHOLDER, name_of, split_form, with_form
from buntime.wire import volatile

_SESSION_NUMBER = re.compile(r"\bses([_-])([0-9]+)\b")


def merge_recordings(
    old: Sequence[Interaction], new: Sequence[Interaction], *, threaded: bool = False, quiet: bool = False
) -> tuple[Interaction, ...]:
    """Return ``new`` with each interaction of ``old`` that is the same but for what varies from run to run.

    ``quiet`` keeps the old values that vary also in an interaction that changed otherwise.
    ``threaded`` is for requests of several threads. Then the numbers of sessions and the order of
    interactions are as in ``old``, as far as they can be, since they depend on chance.
    """
    if threaded:
        new = _with_old_numbers(old, new)
    unmatched: dict[str, deque[int]] = defaultdict(deque)
    for index, item in enumerate(old):
        unmatched[without_numbers(key_of(item.request))].append(index)
    pairs: list[tuple[int, Optional[int], Interaction]] = []
    last = -1
    for item in new:
        queue = unmatched[without_numbers(key_of(item.request))]
        match = queue.popleft() if queue else None
        last = last if match is None else match
        pairs.append((last, match, item))
    if threaded:
        pairs.sort(key=lambda pair: pair[0])
    items = [item for _, _, item in pairs]
    items = _with_secrets_numbered(items) if threaded else items
    return tuple(
        item if match is None else _merge(old[match], item, quiet=quiet)
        for (_, match, _), item in zip(pairs, items)
    )


def _merge(old: Interaction, new: Interaction, *, quiet: bool) -> Interaction:
    if is_same(old, new):
        return old
    return attrs.evolve(new, data=keep_volatile_values(old.data, new.data)) if quiet else new


def keep_volatile_values(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``new`` with the values of ``old`` that vary from run to run."""
    before, after = old.get("response"), new.get("response")
    if before is None or after is None:
        return dict(new)
    headers = {
        name: before.get("headers", {}).get(name, value) if name in volatile.VOLATILE_HEADERS else value
        for name, value in after.get("headers", {}).items()
    }
    response = {**after, "headers": headers}
    if "json" in before and "json" in after:
        response["json"] = volatile.keep_volatile_values(before["json"], after["json"])
    if "events" in before and "events" in after:
        response["events"] = _keep_volatile_values_of_events(before["events"], after["events"])
    return {**new, "response": response}


def _keep_volatile_values_of_events(old: Sequence[Any], new: Sequence[Any]) -> list[Any]:
    """Keep times and measurements; only those of the last event if the number of events changed."""
    first = 0 if len(old) == len(new) else max(0, len(new) - 1)
    pairs = zip(old[-1:] if first else old, new[first:])
    return [
        *new[:first],
        *([before[0], *volatile.keep_volatile_values(before[1:], after[1:])] for before, after in pairs),
    ]


def _with_secrets_numbered(items: Sequence[Interaction]) -> list[Interaction]:
    """Number the secrets of a name by their first appearance: the order of threads is chance."""
    numbers: dict[str, dict[str, str]] = defaultdict(dict)

    def renumber(match: re.Match[str]) -> str:
        base, form = split_form(match.group())
        name = name_of(base)
        known = numbers[name]
        return with_form(known.setdefault(base, f"«{name}:{len(known) + 1}»" if known else f"«{name}»"), form)

    texts = (PLACEHOLDER.sub(renumber, json.dumps(item.data, ensure_ascii=False)) for item in items)
    return [attrs.evolve(item, data=json.loads(text)) for item, text in zip(items, texts)]


def is_same(old: Interaction, new: Interaction) -> bool:
    """Whether two interactions differ only in values that vary from run to run."""
    return _constant_parts(old) == _constant_parts(new) or _is_longer_reading(old, new)


def _constant_parts(item: Interaction) -> Any:
    error = item.error
    return {
        "response": None if item.response is None else _constant_response(item.response, item.request),
        "error": None if error is None else (error["kind"], error["phase"]),
        "request": key_of(item.request),
    }


def _constant_response(response: Mapping[str, Any], request: Mapping[str, Any]) -> dict[str, Any]:
    helper = volatile.helper_arguments(request["method"], request["path"], request.get("json")) is not None
    constant = dict(response)
    constant["headers"] = {
        name: "varies" if name in volatile.VOLATILE_HEADERS else value
        for name, value in response.get("headers", {}).items()
    }
    if "json" in constant:
        constant["json"] = volatile.without_volatile_values(constant["json"], helper=helper)
    if "events" in constant:
        texts, others = join_outputs(constant["events"])
        constant["events"] = [texts, volatile.without_volatile_values(others, helper=helper)]
    return constant


def _is_longer_reading(old: Interaction, new: Interaction) -> bool:
    """Whether the program stopped reading both responses, perhaps one of them some bytes later."""
    if not (old.response and new.response and old.response.get("left") and new.response.get("left")):
        return False
    bodies: dict[str, Any] = {"events": [], "json": None, "text": None}
    rest = [{**item.response, **bodies} for item in (old, new) if item.response]
    if key_of(old.request) != key_of(new.request) or rest[0] != rest[1]:
        return False
    one, other = (join_outputs(item.response.get("events", []))[0] for item in (old, new) if item.response)
    return all(
        one.get(kind, "").startswith(other.get(kind, "")) or other.get(kind, "").startswith(one.get(kind, ""))
        for kind in {*one, *other}
    )


def _with_old_numbers(old: Sequence[Interaction], new: Sequence[Interaction]) -> list[Interaction]:
    """Give sessions the numbers that they have in ``old``, and new ones the free numbers in order."""
    known: dict[str, deque[str]] = defaultdict(deque)
    for item in old:
        number = _created_session(item)
        if number is not None:
            known[key_of(item.request)].append(number)
    names: dict[str, Optional[str]] = {}
    for item in new:
        number = _created_session(item)
        if number is not None and number not in names:
            queue = known[key_of(item.request)]
            names[number] = queue.popleft() if queue else None
    reserved = set(names.values())
    free = (str(number) for number in range(1, len(old) + len(new) + 2) if str(number) not in reserved)
    numbers = {number: name or next(free) for number, name in names.items()}
    if all(number == name for number, name in numbers.items()):
        return list(new)

    def rename(match: re.Match[str]) -> str:
        return f"ses{match[1]}{numbers.get(match[2], match[2])}"

    return [
        attrs.evolve(item, data=json.loads(_SESSION_NUMBER.sub(rename, json.dumps(item.data))))
        for item in new
    ]


def _created_session(item: Interaction) -> Optional[str]:
    body = (item.response or {}).get("json")
    session_id, _ = volatile.created(item.request["method"], item.request["path"], body)
    match = _SESSION_NUMBER.fullmatch(session_id or "")
    return match[2] if match else None
