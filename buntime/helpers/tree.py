"""What helpers say of files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import Any, Optional

import attrs

from buntime.errors import InvalidResponseError
from buntime.helpers.runner import Helpers
from buntime.models import FileInfo

_PAGE = 5000
_HASHED_AT_ONCE = 512 * 1024 * 1024
NOTHING_IGNORED = "(?!)"
"""The pattern that no path matches."""


@attrs.frozen
class Entry:
    """A file or folder of a session.

    ``path`` is relative to the folder that was listed. ``link`` says that it is a symbolic link: the rest
    is then what the link leads to, where that is inside the workspace. ``executable`` is ``None`` where
    that means nothing.
    """

    path: str
    size: int
    modified: Optional[datetime]
    type: str
    link: bool = False
    executable: Optional[bool] = None
    sha256: Optional[str] = None

    @classmethod
    def of(cls, fields: Any) -> Entry:
        """Decode one; :class:`~buntime.InvalidResponseError` for another form."""
        if not isinstance(fields, Mapping):
            raise _odd(fields)
        try:
            return cls(
                path=_kind(str, fields["path"]),
                size=_kind(int, fields["size"]),
                modified=_time(fields["modified"]),
                type=_kind(str, fields["type"]),
                link=_kind(bool, fields.get("link", False)),
                executable=_optional(bool, fields.get("executable")),
                sha256=_optional(str, fields.get("sha256")),
            )
        except (KeyError, TypeError, ValueError, OverflowError, OSError):
            raise _odd(fields) from None

    def info(self, folder: str = "") -> FileInfo:
        """Return it as the public value, its path relative to the workspace."""
        path = f"{folder}/{self.path}" if folder else self.path
        kind = "directory" if self.type == "directory" else "file"
        return FileInfo(path=path, size=self.size, modified=self.modified, type=kind)


def _kind(kind: type, value: Any) -> Any:
    if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
        return value
    raise TypeError


def _optional(kind: type, value: Any) -> Any:
    return None if value is None else _kind(kind, value)


def _time(value: Any) -> datetime:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError
    return datetime.fromtimestamp(value / 1000, tz=timezone.utc)


def _odd(fields: Any) -> InvalidResponseError:
    return InvalidResponseError(f"a helper describes a file in a form that is not ours: {fields!r:.200}")


@attrs.frozen
class Tree:
    """A folder of a session with all that is below it, or a file. ``root`` is ``None`` for neither."""

    root: Optional[Entry]
    entries: Mapping[str, Entry] = attrs.field(factory=dict)

    @classmethod
    def read(
        cls,
        helpers: Helpers,
        session_id: str,
        path: str,
        *,
        hashes: bool = False,
        ignore: str = NOTHING_IGNORED,
    ) -> Tree:
        """Look through a folder, page by page."""
        root: Optional[Entry] = None
        found: dict[str, Entry] = {}
        after: Optional[str] = None
        while True:
            answer = helpers.run(
                session_id,
                "file_walk",
                idempotent=True,
                path=path or ".",
                hashes=hashes,
                ignore=ignore,
                after=after,
                limit=_PAGE,
                budget=_HASHED_AT_ONCE,
            )
            root = None if answer.get("root") is None else Entry.of(answer["root"])
            found.update((entry.path, entry) for entry in _entries(answer))
            following = answer.get("next")
            # A page that ends where it began would come again for ever.
            if not isinstance(following, str) or following == after:
                return cls(root, dict(sorted(found.items())))
            after = following


def _entries(answer: Mapping[str, Any]) -> Iterator[Entry]:
    entries = answer.get("entries")
    if not isinstance(entries, list):
        raise _odd(answer)
    return map(Entry.of, entries)
