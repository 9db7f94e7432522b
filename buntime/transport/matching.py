"""Which recording answers a request, and how the closest one differs where none does."""

from __future__ import annotations

import difflib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, Optional

import attrs

from buntime.transport.cassette import Interaction
from buntime.transport.scrub import PLACEHOLDER

Reason = Literal["empty", "path", "method", "query", "body", "played", "left"]
"""Why a cassette has no answer.

``empty``: it holds nothing. ``path``, ``method``, ``query``, ``body``: the first of these in which the
request differs from all recordings. ``played``: its recordings were all played before. ``left``: the recorded
program stopped reading this answer where the program now reads on.
"""

_BODY_FORMS = ("json", "text", "base64")
_LONGEST_LINE = 200


def key_of(request: Mapping[str, Any]) -> str:
    """Return what has to be equal for a recording to answer: method, path, sorted query, canonical body."""
    query = json.dumps(sorted(request["query"])) if request.get("query") else ""
    if "json" in request:
        body = json.dumps(request["json"], sort_keys=True)
    else:
        body = next((f"{form}:{json.dumps(request[form])}" for form in _BODY_FORMS if form in request), "")
    return f"{request['method']} {request['path']}\n{query}\n{body}"


def template(key: str) -> Optional[tuple[re.Pattern[str], dict[str, str]]]:
    """Return a pattern for a key with placeholders, which fits any value of them, and its groups' names.

    ``None`` for a key without any.
    """
    # The key is JSON in ASCII, in which the marks of a placeholder are escaped.
    pieces = re.split(f"({_ESCAPED.pattern})", key)
    if len(pieces) == 1:
        return None
    groups: dict[str, str] = {}
    pattern = ""
    for index, piece in enumerate(pieces):
        if index % 2 == 0:
            pattern += re.escape(piece)
        elif piece in groups.values():
            pattern += f"(?P={next(name for name, place in groups.items() if place == piece)})"
        else:
            name = f"g{len(groups)}"
            groups[name] = piece
            pattern += rf'(?P<{name}>{re.escape(piece)}|(?:[^"\\]|\\.)+?)'
    return re.compile(pattern, re.DOTALL), {name: _unescaped(place) for name, place in groups.items()}


_ESCAPED = re.compile(
    r"\\u00ab(?:api_key|idempotency_key|(?:cookie|env|header|value):.+?)\\u00bb|" + PLACEHOLDER.pattern
)


def _unescaped(text: str) -> str:
    return str(json.loads(f'"{text}"'))


def captured(groups: Mapping[str, str], found: re.Match[str]) -> dict[str, str]:
    """Return the values that stand in a request for a recording's placeholders."""
    values = {place: _unescaped(found[name]) for name, place in groups.items()}
    return {place: value for place, value in values.items() if not PLACEHOLDER.fullmatch(value)}


@attrs.frozen
class Difference:
    """Why there is no answer, in a word and in a sentence, with a diff against the closest recording."""

    reason: Reason
    sentence: str
    diff: str = ""


def difference(
    request: Mapping[str, Any], interactions: Sequence[Interaction], unplayed: Sequence[Interaction]
) -> Difference:
    """Return how a request differs from what was recorded; those not played yet come first."""
    call = f"{request['method']} {request['path']}"
    if not interactions:
        return Difference("empty", "the cassette holds no interactions")
    key = key_of(request)
    times = sum(key_of(item.request) == key for item in interactions)
    if times:
        again = "once" if times == 1 else f"{times} times"
        return Difference("played", f"the request was recorded {again}, and each answer was played")
    same_call = [item for item in unplayed if item.call == call]
    same_call = same_call or [item for item in interactions if item.call == call]
    if not same_call:
        return _another_call(request, interactions)
    lines = list(request_lines(request))
    closest = max(same_call, key=lambda item: _likeness(lines, item))
    reason: Reason = "query" if _query(request) != _query(closest.request) else "body"
    return _compared(reason, lines, closest, interactions)


def _query(request: Mapping[str, Any]) -> list[Any]:
    return sorted(request.get("query", []))


def _another_call(request: Mapping[str, Any], interactions: Sequence[Interaction]) -> Difference:
    methods = sorted({str(i.request["method"]) for i in interactions if i.request["path"] == request["path"]})
    if methods:
        return Difference("method", f"the path was recorded with {' and '.join(methods)} only")
    paths = list(dict.fromkeys(str(item.request["path"]) for item in interactions))
    near = difflib.get_close_matches(request["path"], paths, 1)
    return Difference("path", "the path was not recorded" + (f"; the closest is {near[0]}" if near else ""))


def _likeness(lines: Sequence[str], item: Interaction) -> int:
    return sum((Counter(lines) & Counter(request_lines(item.request))).values())


def _compared(
    reason: Reason, lines: Sequence[str], closest: Interaction, interactions: Sequence[Interaction]
) -> Difference:
    old = list(request_lines(closest.request))
    number = next(index for index, item in enumerate(interactions, 1) if item is closest)
    of = f"interaction {number} of {len(interactions)}"
    diff = list(difflib.unified_diff(old, lines, f"recorded ({of})", "sent", lineterm=""))
    sentence = f"the {reason} differs from the closest recording, {of}"
    changed = diff[2:]
    recorded = next((line[1:].strip() for line in changed if line.startswith("-")), None)
    sent = next((line[1:].strip() for line in changed if line.startswith("+")), None)
    for word, line in (("recorded", recorded), ("sent", sent)):
        if line is not None:
            sentence += f"\n  {word + ':':<9} {line}"
    return Difference(reason, sentence, "\n".join(diff))


def request_lines(request: Mapping[str, Any]) -> Iterator[str]:
    """Yield a request in lines that a diff can compare: one for each field, or each line of a text."""
    yield f"{request['method']} {request['path']}"
    for name, value in _query(request):
        yield f"?{name}={value}"
    for form in _BODY_FORMS:
        if form in request:
            yield from _field_lines("" if form == "json" else form, request[form])


def _field_lines(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _field_lines(f"{name}.{key}" if name else key, item)
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from _field_lines(f"{name}[{index}]", item)
    elif isinstance(value, str) and "\n" in value[:-1]:
        yield f"{name}:"
        yield from (f"    {_shortened(line)}" for line in value.split("\n"))
    else:
        yield f"{name}: {_shortened(json.dumps(value, ensure_ascii=False))}"


def _shortened(line: str) -> str:
    if len(line) <= _LONGEST_LINE:
        return line
    # Told apart by their ends and lengths where their beginnings are the same.
    return f"{line[:_LONGEST_LINE]}... {line[-20:]} ({len(line)} characters)"
