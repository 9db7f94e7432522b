"""How a request differs from a cassette, and one cassette from another."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import attrs

from buntime._support.json_text import render
from buntime._support.json_values import length
from buntime._support.line_diff import common_lines, line_diff, shorten_lines
from buntime.cassette.file import Cassette, Interaction
from buntime.cassette.match import key_of, without_numbers
from buntime.cassette.merge import merge_recordings
from buntime.cassette.show import MARGIN, request_lines

Reason = Literal["empty", "path", "method", "query", "body", "played", "left"]
"""Why a cassette has no response to a request.

``empty``: it holds nothing. ``path``, ``method``, ``query``, ``body``: the first of these in which the
request differs from all recordings. ``played``: its recordings were all played before. ``left``: the recorded
program stopped reading this response, and the program now reads on.
"""

_DIFF_SHOWN = 16
"""Lines that are shown of the diff in a mismatch, in about 25."""
_NAMES_COMPARED, _CANDIDATES, _LINES_COMPARED, _CHARACTERS_COMPARED = 200, 40, 10_000, 400_000
"""Bounds for the search of the closest recording: a mismatch must be reported immediately."""
_NEW_IN_EACH_RUN = {
    "a UUID": re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"),
    "a date": re.compile(r"\b20\d\d-[01]\d-[0-3]\d(?:[T ][0-2]\d:[0-5]\d[\d:.]*(?:Z|[+-]\d\d:?\d\d)?)?"),
    "a time": re.compile(r"\b[0-2]\d:[0-5]\d:[0-6]\d(?:\.\d+)?\b|\b[12]\d{9}(?:(?:\d{3}){1,3}|\.\d+)?\b"),
    "a temporary path": re.compile(r"/(?:tmp|var/folders)/[\w./+-]+"),
    "a port": re.compile(r"\b(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\]):\d{4,5}\b"),
    "the address of an object": re.compile(r"\bat 0x[0-9a-fA-F]{6,}\b"),
    "a random number": re.compile(r"\b0\.\d{12,}\b|\b[0-9a-f]{32,64}\b"),
}


@attrs.frozen
class Difference:
    """Why no recorded response fits: a word, a sentence, and a diff against the closest recording."""

    reason: Reason
    sentence: str
    diff: str = ""
    varying: str = ""
    """The kinds of the values that differ and that programs make in each run."""
    only_varying: bool = False
    """Whether nothing else differs."""


def difference(
    request: Mapping[str, Any], interactions: Sequence[Interaction], unplayed: Sequence[Interaction]
) -> Difference:
    """Return why no recording answers a request."""
    if not interactions:
        return Difference("empty", "the cassette holds no interactions")
    call = f"{request['method']} {request['path']}"
    # Keys take time, and 1 == 1.0 == True is only true in Python.
    equal = (item for item in interactions if item.request.get("json") == request.get("json"))
    played = sum(key_of(item.request) == key_of(request) for item in equal)
    if played:
        times = "once" if played == 1 else f"{played} times"
        return Difference("played", f"the request was recorded {times}, and each response was played")
    same_call = [item for item in interactions if item.call == call]
    if not same_call:
        return _another_call(request, interactions)
    lines = request_lines(request)
    closest = _closest(request, lines, [item for item in unplayed if item.call == call] or same_call)
    sent, old = (sorted(each.get("query", [])) for each in (request, closest.request))
    reason: Reason = "query" if sent != old else "body"
    number = next(index for index, item in enumerate(interactions, 1) if item is closest)
    of, recorded = f"interaction {number} of {len(interactions)}", request_lines(closest.request)
    start = common_lines(recorded, lines)
    end = common_lines(recorded[start:][::-1], lines[start:][::-1])
    changed = ("\n".join(each[start : len(each) - end]) for each in (recorded, lines))
    return Difference(reason, *_compare_lines(reason, of, recorded, lines), *_varying(*changed))


def _varying(old: str, new: str) -> tuple[str, bool]:
    """Return the kinds of values that differ and are new in each run, and whether nothing else differs."""
    kinds = []
    if len(old) + len(new) > _CHARACTERS_COMPARED:
        return "", False
    for kind, pattern in _NEW_IN_EACH_RUN.items():
        before, after = pattern.findall(old), pattern.findall(new)
        if before != after and len(before) == len(after):
            kinds.append(kind)
        old, new = (pattern.sub("\0", text) for text in (old, new))
    return " or ".join(kinds), old == new


def _another_call(request: Mapping[str, Any], interactions: Sequence[Interaction]) -> Difference:
    methods = sorted({str(i.request["method"]) for i in interactions if i.request["path"] == request["path"]})
    if methods:
        return Difference("method", f"the path was recorded with {' and '.join(methods)} only")
    paths = list(dict.fromkeys(str(item.request["path"]) for item in interactions))
    near = difflib.get_close_matches(request["path"], paths[:_NAMES_COMPARED], 1)
    return Difference("path", f"the path was not recorded{f'; the closest is {near[0]}' if near else ''}")


def _closest(request: Mapping[str, Any], lines: Sequence[str], same: Sequence[Interaction]) -> Interaction:
    """Return the recording with the most equal lines, among those of about the same length."""
    size, budget = length(request), _CHARACTERS_COMPARED
    by_length = sorted(range(len(same)), key=lambda index: abs(length(same[index].request) - size))
    best, most, counted = same[0], -1, Counter(lines[:_LINES_COMPARED])
    for item in map(same.__getitem__, sorted(by_length[:_CANDIDATES])) if len(same) > 1 else ():
        if budget > 0:
            recorded = request_lines(item.request)[:_LINES_COMPARED]
            budget -= sum(map(len, recorded))
            equal = sum((counted & Counter(recorded)).values())
            best, most = (item, equal) if equal > most else (best, most)
    return best


def _compare_lines(reason: Reason, of: str, old: list[str], new: list[str]) -> tuple[str, str]:
    """Return a sentence on the difference, and a short diff."""
    diff = shorten_lines(line_diff(old, new, f"recorded ({of})", "sent"))
    sentence = f"the {reason} differs from the closest recording, {of}{_file_of_difference(old, new)}"
    for word, sign in (("recorded", "-"), ("sent", "+")):
        line = next((line[1:].strip() for line in diff[2:] if line.startswith(sign)), None)
        if line is not None:
            sentence += f"\n  {word + ':':<9} {line}"
    if len(diff) > _DIFF_SHOWN:
        diff = [*diff[:_DIFF_SHOWN], f"... and {len(diff) - _DIFF_SHOWN} more lines"]
    return sentence, "\n".join(diff)


def _file_of_difference(old: Sequence[str], new: Sequence[str]) -> str:
    """Return in which file the first difference is, as that may be far above it."""
    above = reversed(new[: common_lines(old, new) + 1])
    heading = next((line for line in above if not line.startswith(MARGIN)), "")
    return f", in {heading.partition(':')[0]}" if "files[" in heading else ""


def request_keys(cassette: Cassette) -> list[str]:
    """Return the keys of the requests in a cassette, which are the same with other secrets."""
    return [without_numbers(key_of(item.request)) for item in cassette.interactions]


def compare(old: Cassette, new: Cassette) -> list[str]:
    """Return how a new recording differs, as the lines of a unified diff; ``[]`` if it is equal.

    Values that vary from run to run are not a change, and not shown.
    """
    interactions = merge_recordings(old.interactions, new.interactions, threaded=True, quiet=True)
    if interactions == old.interactions:
        return []
    before, now = (render([item.data for item in items]) for items in (old.interactions, interactions))
    return list(line_diff(before.splitlines(), now.splitlines(), "recorded", "now"))
