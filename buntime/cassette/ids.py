"""Numbers in place of the ids in a recording that has ended: ``ses_1``, ``ses_2``, the same in all texts."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Optional

from buntime._support.json_values import map_texts
from buntime._support.packed import Line
from buntime._support.spans import Span
from buntime.cassette.dialect import dialect_of
from buntime.cassette.file import Interaction, interaction_of
from buntime.cassette.secrets.walk import Walk
from buntime.wire.local_folders import LocalFolders

_ORIGINS = {
    "://": re.compile(r"https?://[\w-]+(?:\.[\w-]+)*(?::\d+)?"),
    "127.0.0.1:": re.compile(r"127\.0\.0\.1:\d+"),
}
_ORIGIN = re.compile(r"(?:127\.0\.0\.1:\d+|https?://(?:[\w.-]|«[^«»]+»)+(?::\d+)?)(?![^/?#])")
"""The origin of a URL, in an interrupted recording with placeholders; one with a user is not looked for."""
_PREVIEW = ".preview.invalid"
"""The end of the host that stands for the one of a preview."""
_ENCODED = '"(?:base64|events)":'
"""The fields of messages that have ids encoded or in pieces."""
_SHORTEST_ODD_ID = 6
"""Characters from which on an id in another form than the service's is searched for in texts."""


class Numbering:
    """The ids of a recording, in the order of the requests that created them."""

    def __init__(self, interactions: Iterable[Interaction]) -> None:
        self._counts: Counter[str] = Counter()
        self._names: dict[str, str] = {}
        self._origins: dict[str, str] = {}
        self._patterns: dict[str, re.Pattern[str]] = {}
        """The pattern of the ids of each kind; with ``""``, of those in another form than the service's."""
        self._folders: dict[LocalFolders, set[str]] = {}
        self._odd: list[str] = []
        sent: set[str] = set()
        for item in interactions:
            body, path = (item.response or {}).get("json"), item.request["path"]
            for new in dialect_of(path).new_ids(item.request, body):
                if new[1] not in sent:  # else the program has it from elsewhere, also in a replay
                    self._note(*new)
            sent.update(path.split("/"))
        self._in_values = re.compile("|".join([_ENCODED, *(folders.hint for folders in self._folders)]))
        """Finds the lines to change in their values: in JSON, an escape may be the letter before a folder."""
        if self._odd:
            self._patterns[""] = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, self._odd))})(?!\w)")

    def _note(self, kind: str, value: str, origin: Optional[str], folders: Optional[LocalFolders]) -> None:
        """Give an id its number, and the host of a URL a name that has it, too; see :data:`NewId`."""
        if value in self._names:
            return
        self._counts[kind] = number = self._counts[kind] + 1
        if folders is not None:
            self._folders.setdefault(folders, set()).add(value)
        self._names[value] = f"{kind}_{number}"
        if kind not in self._patterns:
            # The host of a new name for an origin is not taken for an id.
            self._patterns[kind] = re.compile(
                rf"{re.escape(kind)}[_-][A-Za-z0-9]+(?![A-Za-z0-9]|{re.escape(_PREVIEW)})"
            )
        if self._patterns[kind].fullmatch(value):
            host = f"{kind}-{value[len(kind) + 1 :]}"
            self._names[host] = self._names[host.lower()] = f"{kind}-{number}"
        elif len(value) >= _SHORTEST_ODD_ID:
            self._odd.append(value)
        if origin is not None and (match := _ORIGIN.match(origin)):
            name = f"{kind}-{number}{_PREVIEW}"
            self._origins.update({match[0]: f"https://{name}", match[0].partition("://")[2]: name})
            if "«" in match[0]:
                self._names[match[0]] = f"https://{name}"
                self._odd.append(match[0])

    def renumber(self, line: Line) -> Interaction:
        """Return the interaction of a line, which has no secrets, with ids, origins and folders replaced."""
        if not isinstance(line, str) or "" in self._patterns or self._in_values.search(line):
            return Interaction(Walk(spans_in=lambda text, *_: self.spans(text))(interaction_of(line).data))
        # Takes a third of the time of a walk.
        for pattern, names in self._likely(line):
            line = pattern.sub(lambda match: names.get(match[0], match[0]), line)  # noqa: B023 - called here
        return interaction_of(line)

    def spans(self, text: str) -> list[Span]:
        """Return the positions of ids, origins and folders in a text, with their replacements."""
        spans = [
            (match.start(), match.end(), names[match[0]])
            for pattern, names in self._likely(text)
            for match in pattern.finditer(text)
            if match[0] in names
        ]
        for folders, ids in self._folders.items():
            spans += folders.spans(text, ids) if re.search(folders.hint, text) else ()
        return spans

    def _likely(self, text: str) -> Iterator[tuple[re.Pattern[str], dict[str, str]]]:
        # A search for a fixed text is many times faster than a pattern that is tried everywhere.
        for hint, pattern in _ORIGINS.items() if self._origins else ():
            if hint in text:
                yield pattern, self._origins
        for kind, pattern in self._patterns.items():
            if kind in text:
                yield pattern, self._names


class FileStates:
    """Numbers in place of the texts that change with each change of a file. The caller sees to locking."""

    def __init__(self) -> None:
        self._states: dict[object, dict[str, int]] = defaultdict(dict)

    def number(self, data: dict[str, Any]) -> None:
        """Replace the text in the response of an interaction, if it has one."""
        request, body = data["request"], data.get("response", {}).get("json")
        if version := dialect_of(request["path"]).version(request, body):
            states, text = self._states[version[0]], version[1]
            name = f"stamp_{states.setdefault(text, len(states) + 1)}"
            data["response"]["json"] = map_texts(body, lambda value: name if value == text else value)
