"""Numbers in place of the ids that the service makes: ``ses_1``, ``ses_2``, the same in all texts."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Optional

from buntime._support.spans import Span
from buntime.cassette.dialect import dialect_of
from buntime.wire.local_folders import LocalFolders

_ORIGINS = {
    "://": re.compile(r"https?://[\w-]+(?:\.[\w-]+)*(?::\d+)?"),
    "127.0.0.1:": re.compile(r"127\.0\.0\.1:\d+"),
}
_ORIGIN = re.compile(rf"(?:{'|'.join(pattern.pattern for pattern in _ORIGINS.values())})(?![^/?#])")
"""The origin of a URL; one with a user in it is not looked for."""
_PREVIEW = ".preview.invalid"
"""The end of the host that stands for the one of a preview."""
_SHORTEST_ODD_ID = 6
"""Characters from which on an id in another form than the service's is searched for in texts."""


class Numbering:
    """The ids of a recording in the order of their creation. The caller sees to locking."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._names: dict[str, str] = {}
        self._origins: dict[str, str] = {}
        self._patterns: dict[str, re.Pattern[str]] = {}
        """The pattern of the ids of each kind; with ``""``, of those in another form than the service's."""
        self._folders: dict[LocalFolders, set[str]] = {}
        self._versions: dict[object, list[str]] = {}
        self._odd: list[str] = []

    def note(self, kind: str, value: str, origin: Optional[str], folders: Optional[LocalFolders]) -> None:
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
            self._patterns[""] = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, self._odd))})(?!\w)")
        if origin is not None and (match := _ORIGIN.match(origin)):
            name = f"{kind}-{number}{_PREVIEW}"
            self._origins.update({match[0]: f"https://{name}", match[0].partition("://")[2]: name})

    def learn(self, data: Mapping[str, Any]) -> None:
        """Note the ids in a response. The state of a file becomes a number there."""
        request, body = data["request"], data.get("response", {}).get("json")
        dialect = dialect_of(request["path"])
        for new in dialect.new_ids(request, body):
            self.note(*new)
        version = dialect.version(request, body)
        if version is not None:
            states = self._versions.setdefault(version[0], [])
            if version[1] not in states:
                states.append(version[1])
            number = json.dumps(f"stamp_{states.index(version[1]) + 1}")
            data["response"]["json"] = json.loads(json.dumps(body).replace(json.dumps(version[1]), number))

    def renumber(self, line: str, start: int) -> Optional[str]:
        """Return a line of JSON with the ids and origins in it replaced.

        ``None`` if that takes its values: in the line, an escape may be the letter before an id, or before a
        folder, which is looked for from a position on.
        """
        if "" in self._patterns or [each for each in self._folders if each.may_be_in(line, start)]:
            return None
        # Takes a third of the time of spans.
        for pattern, names in self._likely(line):
            line = pattern.sub(lambda match: names.get(match[0], match[0]), line)  # noqa: B023 - called here
        return line

    def spans(self, text: str) -> list[Span]:
        """Return the positions of ids, origins and folders in a text, with their replacements."""
        spans = [
            (match.start(), match.end(), names[match[0]])
            for pattern, names in self._likely(text)
            for match in pattern.finditer(text)
            if match[0] in names
        ]
        for folders, ids in self._folders.items():
            if folders.may_be_in(text):
                spans += folders.spans(text, ids)
        return spans

    def _likely(self, text: str) -> Iterator[tuple[re.Pattern[str], dict[str, str]]]:
        # A search for a fixed text is many times faster than a pattern that is tried everywhere.
        for hint, pattern in _ORIGINS.items() if self._origins else ():
            if hint in text:
                yield pattern, self._origins
        for kind, pattern in self._patterns.items():
            if kind in text:
                yield pattern, self._names
