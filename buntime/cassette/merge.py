"""Recording again without a change: values that vary from run to run keep their recorded value."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Optional

import attrs

from buntime._support.json_values import map_texts
from buntime.cassette.body import join_outputs
from buntime.cassette.dialect import Dialect, dialect_of
from buntime.cassette.file import Interaction
from buntime.cassette.ignore import Ignore
from buntime.cassette.match import key_of, without_numbers
from buntime.cassette.secrets.placeholders import PLACEHOLDER, name_of, split_form, with_form


def merge_recordings(
    old: Sequence[Interaction],
    new: Sequence[Interaction],
    *,
    threaded: bool = False,
    quiet: bool = False,
    ignore: Optional[Ignore] = None,
) -> tuple[Interaction, ...]:
    """Return ``new`` with each interaction of ``old`` that is the same but for what varies from run to run.

    ``quiet`` keeps the old values that vary also in an interaction that changed otherwise.
    ``threaded`` is for requests of several threads. Then the numbers of sessions and the order of
    interactions are as in ``old``, as far as they can be, since they depend on chance.
    """
    ignore = ignore or Ignore()
    if threaded:
        new = _with_old_numbers(old, new, ignore)
    unmatched: dict[str, deque[int]] = defaultdict(deque)
    for index, item in enumerate(old):
        unmatched[without_numbers(key_of(ignore.request(item.request)))].append(index)
    pairs: list[tuple[int, Optional[int], Interaction]] = []
    last = -1
    for item in new:
        queue = unmatched[without_numbers(key_of(ignore.request(item.request)))]
        match = queue.popleft() if queue else None
        last = last if match is None else match
        pairs.append((last, match, item))
    if threaded:
        pairs.sort(key=lambda pair: pair[0])
    items = [item for _, _, item in pairs]
    items = _with_secrets_numbered(items) if threaded else items
    return tuple(
        item if match is None else _merge(old[match], item, ignore, quiet=quiet)
        for (_, match, _), item in zip(pairs, items)
    )


def _merge(old: Interaction, new: Interaction, ignore: Ignore, *, quiet: bool) -> Interaction:
    if is_same(old, new, ignore):
        return old
    return attrs.evolve(new, data=keep_volatile_values(old.data, new.data)) if quiet else new


def keep_volatile_values(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``new`` with the values of ``old`` that vary from run to run."""
    before, after = old.get("response"), new.get("response")
    if before is None or after is None:
        return dict(new)
    dialect = dialect_of(new["request"]["path"])
    recorded = {
        name: value for name, value in before.get("headers", {}).items() if name in dialect.volatile_headers
    }
    headers = {name: recorded.get(name, value) for name, value in after.get("headers", {}).items()}
    response = {**after, "headers": headers}
    if "json" in before and "json" in after:
        response["json"] = _kept(before["json"], after["json"], dialect)
    if "events" in before and "events" in after:
        events, previous = after["events"], before["events"]
        # If the number of events changed, only the last ones belong together.
        first = 0 if len(previous) == len(events) else max(0, len(events) - 1)
        pairs = zip(previous[-1:] if first else previous, events[first:])
        merged = ([one[0], *_kept(one[1:], two[1:], dialect)] for one, two in pairs)
        response["events"] = [*events[:first], *merged]
    return {**new, "response": response}


def _kept(old: Any, new: Any, dialect: Dialect) -> Any:
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [_kept(before, after, dialect) for before, after in zip(old, new)]
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    merged = dict(new)
    for name in {*old} & {*new} - dialect.user_fields:
        if not dialect.is_volatile(name):
            merged[name] = _kept(old[name], new[name], dialect)
        elif _kind(old[name]) == _kind(new[name]):
            merged[name] = old[name]
    return merged


def _constant(value: Any, dialect: Dialect) -> Any:
    """Return a JSON value with only the types of the values that vary from run to run."""
    if isinstance(value, list):
        return [_constant(item, dialect) for item in value]
    if not isinstance(value, dict):
        return value
    constant = dict(value)
    for name in {*value} - dialect.user_fields:
        varies = dialect.is_volatile(name)
        constant[name] = ["varies", _kind(value[name])] if varies else _constant(value[name], dialect)
    return constant


def _kind(value: Any) -> Any:
    if isinstance(value, list):
        # How many steps something took varies; a different number of processes is a change.
        return "list" if any(isinstance(item, dict) for item in value) else len(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return "number"
    return type(value).__name__


def _with_secrets_numbered(items: Sequence[Interaction]) -> list[Interaction]:
    """Number the secrets of a name by their first appearance: the order of threads is chance."""
    numbers: dict[str, dict[str, str]] = defaultdict(dict)

    def renumber(match: re.Match[str]) -> str:
        base, form = split_form(match.group())
        name = name_of(base)
        known = numbers[name]
        return with_form(known.setdefault(base, f"«{name}:{len(known) + 1}»" if known else f"«{name}»"), form)

    return [
        attrs.evolve(item, data=map_texts(item.data, partial(PLACEHOLDER.sub, renumber))) for item in items
    ]


def is_same(old: Interaction, new: Interaction, ignore: Ignore) -> bool:
    """Whether two interactions differ only in values that vary from run to run."""
    return _constant_parts(old, ignore) == _constant_parts(new, ignore) or _is_longer_reading(old, new)


def _constant_parts(item: Interaction, ignore: Ignore) -> Any:
    dialect, response = dialect_of(item.request["path"]), dict(item.response or {})
    response["headers"] = {
        name: "varies" if name in dialect.volatile_headers else value
        for name, value in response.get("headers", {}).items()
    }
    if "json" in response:
        response["json"] = _constant(dialect.settled(item.request, response["json"]), dialect)
    if "events" in response:
        texts, others = join_outputs(response["events"], dialect)
        response["events"] = [texts, _constant(others, dialect)]
    error = item.error and (item.error["kind"], item.error["phase"])
    return ignore.texts(response), error, key_of(ignore.request(item.request))


def _is_longer_reading(old: Interaction, new: Interaction) -> bool:
    """Whether the program stopped reading both responses, perhaps one of them some bytes later."""
    both = [item.response for item in (old, new) if item.response and item.response.get("left")]
    rest = [{**response, "events": [], "json": None, "text": None} for response in both]
    if len(both) < 2 or key_of(old.request) != key_of(new.request) or rest[0] != rest[1]:
        return False
    dialect = dialect_of(new.request["path"])
    one, other = (join_outputs(response.get("events", []), dialect)[0] for response in both)
    texts = ((one.get(kind, ""), other.get(kind, "")) for kind in {*one, *other})
    return all(a.startswith(b) or b.startswith(a) for a, b in texts)


def _with_old_numbers(
    old: Sequence[Interaction], new: Sequence[Interaction], ignore: Ignore
) -> list[Interaction]:
    """Give ids the numbers that they have in ``old``, and new ones the free numbers in order."""
    known: dict[tuple[str, str], deque[str]] = defaultdict(deque)
    for item in old:
        for kind, number in _numbers_of(item):
            known[kind, key_of(ignore.request(item.request))].append(number)
    names: dict[tuple[str, str], Optional[str]] = {}
    for item in new:
        for kind, number in _numbers_of(item):
            queue = known[kind, key_of(ignore.request(item.request))]
            names.setdefault((kind, number), queue.popleft() if queue else None)
    kinds = sorted({kind for kind, _ in names})
    numbers: dict[tuple[str, str], str] = {}
    for kind in kinds:
        reserved = {name for (one, _), name in names.items() if one == kind}
        free = (str(number) for number in itertools.count(1) if str(number) not in reserved)
        numbers.update({key: name or next(free) for key, name in names.items() if key[0] == kind})
    if all(number == name for (_, number), name in numbers.items()):
        return list(new)
    pattern = re.compile(rf"\b({'|'.join(map(re.escape, kinds))})([_-])([0-9]+)\b")

    def rename(match: re.Match[str]) -> str:
        return f"{match[1]}{match[2]}{numbers.get((match[1], match[3]), match[3])}"

    # In the values, not in their JSON: there, an escape may be the letter before an id.
    return [attrs.evolve(item, data=map_texts(item.data, partial(pattern.sub, rename))) for item in new]


def _numbers_of(item: Interaction) -> Iterator[tuple[str, str]]:
    """Yield the kind and the number of each id that an interaction creates."""
    body = (item.response or {}).get("json")
    for kind, value, *_ in dialect_of(item.request["path"]).new_ids(item.request, body):
        match = re.fullmatch(rf"{re.escape(kind)}_([0-9]+)", value)
        if match:
            yield kind, match[1]
