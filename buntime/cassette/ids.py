"""Numbers in place of the ids that the service makes: ``ses_1``, ``ses_2``, the same in all texts."""

from __future__ import annotations

import re
from typing import Optional
from urllib.parse import urlsplit

Span = tuple[int, int, str]
"""The start and the end of a part of a text, and the text that replaces it."""

_IDS = re.compile(r"ses[_-][A-Za-z0-9]+")
_ORIGINS = re.compile(r"https?://[\w-]+(?:\.[\w-]+)*(?::\d+)?|127\.0\.0\.1:\d+")
_SHORTEST_ODD_ID = 6
"""Characters from which on an id in another form than the service's is searched for in texts."""


class Numbering:
    """The sessions of a recording in the order of their creation. The caller sees to locking."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._ids: dict[str, str] = {}
        self._origins: dict[str, str] = {}
        self._odd: Optional[re.Pattern[str]] = None

    def note(self, session_id: str, preview_url: Optional[str]) -> None:
        """Give a new session its number, and its preview an origin that is named for it."""
        number = self._numbers.setdefault(session_id, len(self._numbers) + 1)
        self._ids[session_id] = f"ses_{number}"
        if _IDS.fullmatch(session_id):
            host = "ses-" + session_id[4:]
            self._ids[host] = self._ids[host.lower()] = f"ses-{number}"
        elif len(session_id) >= _SHORTEST_ODD_ID:
            odd = [name for name in self._ids if not _IDS.fullmatch(name) and len(name) >= _SHORTEST_ODD_ID]
            self._odd = re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, odd)) + r")(?!\w)")
        if preview_url is not None:
            self._note_origin(preview_url, f"ses-{number}.preview.invalid")

    def _note_origin(self, preview_url: str, name: str) -> None:
        parts = urlsplit(preview_url)
        self._origins[f"{parts.scheme}://{parts.netloc}"] = f"https://{name}"
        self._origins[parts.netloc] = name

    def spans(self, text: str) -> list[Span]:
        """Return the positions of ids and origins in a text, with their replacements."""
        # A search for a fixed text is many times faster than a pattern that is tried everywhere.
        likely: list[tuple[re.Pattern[str], dict[str, str]]] = []
        if self._origins and ("://" in text or "127.0.0.1:" in text):
            likely.append((_ORIGINS, self._origins))
        if self._ids and ("ses_" in text or "ses-" in text):
            likely.append((_IDS, self._ids))
        if self._odd is not None:
            likely.append((self._odd, self._ids))
        return [
            (match.start(), match.end(), name)
            for pattern, names in likely
            for match in pattern.finditer(text)
            if (name := names.get(match.group())) is not None
        ]
