"""Recording again without a change: values that vary from run to run keep their recorded value."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Optional

from buntime._support.json_values import map_texts
from buntime.cassette.body import join_outputs
from buntime.cassette.dialect import Dialect, dialect_of
from buntime.cassette.file import Interaction
from buntime.cassette.ignore import Ignore
from buntime.cassette.match import key_of, without_numbers
from buntime.cassette.secrets.placeholders import PLACEHOLDER, Placeholders, name_of, split_form, with_form
from buntime.cassette.secrets.walk import Walk


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
    unmatched: dict[str, deque[tuple[int, Interaction]]] = defaultdict(deque)
    for position, item in enumerate(old):
        unmatched[without_numbers(key_of(ignore.request(item.request)))].append((position, item))
    pairs: list[tuple[int, Optional[Interaction], Interaction]] = []
    position = -1
    for item in new:
        queue = unmatched[without_numbers(key_of(ignore.request(item.request)))]
        position, before = queue.popleft() if queue else (position, None)
        pairs.append((position, before, item))
    if threaded:
        pairs.sort(key=lambda pair: pair[0])
    items = [item for *_, item in pairs]
    merged = with_secrets_numbered(items) if threaded else items
    for index, (_, before, _) in enumerate(pairs):
        if before is not None and _is_same(before, merged[index], ignore):
            merged[index] = before if quiet else _with_test_of(merged[index], before)
        elif before is not None and quiet:
            merged[index] = _with_old_values(before, merged[index])
    return tuple(merged)


def _with_test_of(new: Interaction, old: Interaction) -> Interaction:
    """Return ``old`` with the test of ``new``: tests may have run in another order."""
    test = {name: value for name, value in new.request.items() if name == "test"}
    request = {name: value for name, value in old.request.items() if name != "test"}
    return Interaction({**old.data, "request": {**request, **test}})


def _with_old_values(old: Interaction, new: Interaction) -> Interaction:
    """Return ``new`` with the values of ``old`` that vary from run to run."""
    before, after, dialect = old.response, new.response, dialect_of(new.request["path"])
    if before is None or after is None:
        return new
    response = {**after}
    for part in {"headers", "json"} & before.keys() & after.keys():
        response[part] = _kept(before[part], after[part], dialect)
    if before.get("events") and after.get("events"):
        events, previous = after["events"], before["events"]
        # If the number of events changed, only the last ones belong together.
        count = len(events) if len(previous) == len(events) else 1
        pairs = zip(previous[-count:], events[-count:])
        merged = ([one[0], *_kept(one[1:], two[1:], dialect)] for one, two in pairs)
        response["events"] = [*events[:-count], *merged]
    return Interaction({**new.data, "response": response})


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


def _kind(value: Any) -> Any:
    if isinstance(value, list):
        # How many steps something took varies; a different number of processes is a change.
        return "list" if any(isinstance(item, dict) for item in value) else len(value)
    return "number" if type(value) in {int, float} else type(value).__name__


def with_secrets_numbered(items: Sequence[Interaction]) -> list[Interaction]:
    """Number the secrets of a name by their first appearance: the order of threads is chance."""
    numbered = Placeholders()

    def renumber(match: re.Match[str]) -> tuple[int, int, str]:
        base, form = split_form(match.group())
        return (*match.span(), with_form(numbered.get(name_of(base), base), form))

    walk = Walk(spans_in=lambda text, *_: [*map(renumber, PLACEHOLDER.finditer(text))])
    return [Interaction(walk(item.data)) for item in items]


def _is_same(old: Interaction, new: Interaction, ignore: Ignore) -> bool:
    """Whether two interactions differ only in values that vary from run to run."""
    before, after = (_varying_and_fixed(item, ignore) for item in (old, new))
    return _kept(before, after, dialect_of(new.request["path"])) == before or _is_longer_reading(old, new)


def _varying_and_fixed(item: Interaction, ignore: Ignore) -> list[Any]:
    """Return the parts of a response in which values may vary, and a tuple of all that may not."""
    dialect, response = dialect_of(item.request["path"]), {"headers": {}, **(item.response or {})}
    if "json" in response:
        response["json"] = dialect.settled(item.request, response["json"])
    if "events" in response:
        response["outputs"], response["events"] = join_outputs(response["events"], dialect)
    fixed = ignore.texts(response, ignore.values)
    varying = [fixed.pop(part, ()) for part in ("headers", "json", "events")]
    error = item.error and (item.error["kind"], item.error["phase"])
    return [*varying, (fixed, error, key_of(ignore.request(item.request)))]


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
    kinds = sorted({kind for item in new for kind, _ in _numbers_of(item)})
    pattern = re.compile(rf"\b({'|'.join(map(re.escape, kinds))})([_-])([0-9]+)\b")
    names: dict[tuple[str, str], Optional[str]] = {}

    def rename(match: re.Match[str]) -> str:
        return f"{match[1]}{match[2]}{names.get((match[1], match[3]), match[3])}"

    # In the values, not in their JSON: there, an escape may be the letter before an id.
    renamed = partial(map_texts, change=partial(pattern.sub, rename))
    known: dict[tuple[str, str], deque[str]] = defaultdict(deque)
    for item in old:
        for kind, number in _numbers_of(item):
            known[kind, without_numbers(key_of(ignore.request(item.request)))].append(number)
    for item in new:
        for kind, number in _numbers_of(item):
            # The request may have ids itself, such as that of a devbox: those were created before.
            queue = known[kind, without_numbers(key_of(ignore.request(renamed(item.request))))]
            names.setdefault((kind, number), queue.popleft() if queue else None)
    reserved = {(kind, name) for (kind, _), name in names.items()}
    counts: dict[str, Iterator[int]] = defaultdict(partial(itertools.count, 1))
    for (kind, number), name in names.items():
        free = (str(each) for each in counts[kind] if (kind, str(each)) not in reserved)
        names[kind, number] = name or next(free)
    if all(number == name for (_, number), name in names.items()):
        return list(new)
    return [Interaction(renamed(item.data)) for item in new]


def _numbers_of(item: Interaction) -> Iterator[tuple[str, str]]:
    """Yield the kind and the number of each id that an interaction creates."""
    body = (item.response or {}).get("json")
    for kind, value, *_ in dialect_of(item.request["path"]).new_ids(item.request, body):
        if match := re.fullmatch(rf"{re.escape(kind)}_([0-9]+)", value):
            yield kind, match[1]
