"""Which recording answers a request, and how the closest one differs where none does."""

from __future__ import annotations

import difflib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, Optional

import attrs

from buntime.cassette.file import Interaction
from buntime.cassette.secrets.encodings import FORM
from buntime.cassette.secrets.registry import without_form
from buntime.wire import volatile

Reason = Literal["empty", "path", "method", "query", "body", "played", "left"]
"""Why a cassette has no answer.

``empty``: it holds nothing. ``path``, ``method``, ``query``, ``body``: the first of these in which the
request differs from all recordings. ``played``: its recordings were all played before. ``left``: the recorded
program stopped reading this answer where the program now reads on.
"""

_BODY_FORMS = ("json", "text", "base64")
_LONGEST_LINE = 200
_MARGIN = "    "


def key_of(request: Mapping[str, Any]) -> str:
    """Return what has to be equal for a recording to answer: method, path, sorted query, canonical body."""
    query = json.dumps(sorted(request["query"])) if request.get("query") else ""
    if "json" in request:
        body = json.dumps(request["json"], sort_keys=True)
    else:
        body = next((f"{form}:{json.dumps(request[form])}" for form in _BODY_FORMS if form in request), "")
    return f"{request['method']} {request['path']}\n{query}\n{body}"


_PLACEHOLDER = re.compile(
    # The marks of a placeholder are escaped in the JSON of a key, which is ASCII, and not in its path.
    r"(?P<open>«|\\u00ab)(?P<name>api_key|idempotency_key|(?:cookie|env|header|value):.+?)(?::\d+)?"
    rf"(?P<form>{FORM})?(?P<close>»|\\u00bb)"
)


def without_numbers(key: str) -> str:
    """Return a key without the numbers that tell several secrets of a name apart, and without their forms.

    In which of several equal forms a secret stands depends on its characters, and so on the secret.
    """
    if "«" not in key and "\\u00ab" not in key:
        return key
    return _PLACEHOLDER.sub(r"\g<open>\g<name>\g<close>", key)


def places(key: str) -> list[str]:
    """Return the placeholders in a key, in their order, as a text would have them; all for no form."""
    return [without_form(_plain(found.group()))[0] for found in _PLACEHOLDER.finditer(key)]


def _plain(piece: str) -> str:
    """Return a piece of a key as the text that it is of."""
    try:
        return str(json.loads(f'"{piece}"'))
    except ValueError:
        return piece


def match_placeholders(recording: str, key: str) -> Optional[list[tuple[str, str]]]:
    """Return what stands in a key for the placeholders of a recording's, or ``None`` where it does not fit.

    That is another placeholder, or any text: a secret that is not known to be one yet.
    """
    pattern, end, order = "", 0, []
    for found in _PLACEHOLDER.finditer(recording):
        pattern += re.escape(recording[end : found.start()])
        same = re.escape(found["open"] + found["name"]) + rf"(?::\d+)?(?:{FORM})?" + re.escape(found["close"])
        pattern += rf'({same}|(?:[^"\\]|\\.)+?)'
        order.append(_plain(found.group()))
        end = found.end()
    fits = re.fullmatch(pattern + re.escape(recording[end:]), key, re.DOTALL) if order else None
    return None if fits is None else list(zip(order, map(_plain, fits.groups())))


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
    lines = _readable_lines(request)
    closest = max(same_call, key=lambda item: _likeness(lines, item))
    reason: Reason = "query" if _query(request) != _query(closest.request) else "body"
    if lines == _readable_lines(closest.request):
        return _compared(reason, closest, interactions, *map(request_lines, (closest.request, request)))
    return _compared(reason, closest, interactions, _readable_lines(closest.request), lines)


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
    return sum((Counter(lines) & Counter(_readable_lines(item.request))).values())


def _compared(
    reason: Reason,
    closest: Interaction,
    interactions: Sequence[Interaction],
    old: Iterable[str],
    new: Iterable[str],
) -> Difference:
    old, new = list(old), list(new)
    number = next(index for index, item in enumerate(interactions, 1) if item is closest)
    of = f"interaction {number} of {len(interactions)}"
    diff = list(difflib.unified_diff(old, new, f"recorded ({of})", "sent", lineterm=""))
    sentence = f"the {reason} differs from the closest recording, {of}{_file_of_difference(old, new)}"
    changed = diff[2:]
    recorded = next((line[1:].strip() for line in changed if line.startswith("-")), None)
    sent = next((line[1:].strip() for line in changed if line.startswith("+")), None)
    for word, line in (("recorded", recorded), ("sent", sent)):
        if line is not None:
            sentence += f"\n  {word + ':':<9} {line}"
    return Difference(reason, sentence, "\n".join(diff))


def _file_of_difference(old: Sequence[str], new: Sequence[str]) -> str:
    """Return in which file the first difference is, as that may be far above it."""
    same = 0
    while same < min(len(old), len(new)) and old[same] == new[same]:
        same += 1
    above = next((line for line in reversed(new[: same + 1]) if not line.startswith(_MARGIN)), "")
    return f", in {above.partition(':')[0]}" if above.startswith("files") else ""


def _readable_lines(request: Mapping[str, Any]) -> list[str]:
    """Return the lines of a request, those of a helper with its arguments opened up."""
    if "json" not in request:
        return list(request_lines(request))
    body = volatile.opened(request["method"], request["path"], request["json"])
    return list(request_lines({**request, "json": body}))


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
            path = item.get("path") if isinstance(item, dict) else None
            yield from _field_lines(f"{name}[{path or index}]", item)
    elif isinstance(value, str) and "\n" in value[:-1]:
        yield f"{name}:"
        yield from (f"{_MARGIN}{_shortened(line)}" for line in value.split("\n"))
    else:
        yield f"{name}: {_shortened(json.dumps(value, ensure_ascii=False))}"


def _shortened(line: str) -> str:
    if len(line) <= _LONGEST_LINE:
        return line
    # Told apart by their ends and lengths where their beginnings are the same.
    return f"{line[:_LONGEST_LINE]}... {line[-20:]} ({len(line)} characters)"
