"""Files of a session, as helpers describe them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, Literal, Optional

import attrs

from buntime import _validate
from buntime.helpers.runner import Helpers, invalid_reply, list_of
from buntime.models import FileInfo

_PAGE = 5000
_HASHED_PER_CALL = 512 * 1024 * 1024
NOTHING_IGNORED = "(?!)"
"""The pattern that no path matches."""


@attrs.frozen
class RemoteEntry:
    """A file or folder of a session.

    ``path`` is relative to the folder that was listed. If ``link`` is true it is a symbolic link; the other
    fields then describe its ``target``, if that is in the workspace. ``executable`` and ``mode`` are ``None``
    if they do not apply. ``readable`` is false for a folder that could not be opened, a file that could not
    be hashed, and a name that is not UTF-8, which ``path`` then has with U+FFFD.
    """

    path: str
    size: int
    modified: Optional[datetime]
    type: str
    link: bool = False
    target: Optional[str] = None
    mode: Optional[int] = None
    executable: Optional[bool] = None
    sha256: Optional[str] = None
    readable: bool = True

    @classmethod
    def parse(cls, fields: Any) -> RemoteEntry:
        """Decode an entry; :class:`~buntime.InvalidResponseError` for any other form."""
        try:
            executable, sha256, mode = fields.get("executable"), fields.get("sha256"), fields.get("mode")
            milliseconds = _validate.number("modified", fields["modified"])
            return cls(
                path=_validate.text("path", fields["path"]),
                size=_validate.number("size", fields["size"], integer=True),
                modified=datetime.fromtimestamp(milliseconds / 1000, tz=timezone.utc),
                type=_validate.text("type", fields["type"]),
                link=_validate.flag("link", fields.get("link", False)),
                target=_validate.optional_text("target", fields.get("target")),
                mode=None if mode is None else _validate.number("mode", mode, integer=True),
                executable=None if executable is None else _validate.flag("executable", executable),
                sha256=_validate.optional_text("sha256", sha256),
                readable=_validate.flag("readable", fields.get("readable", True)),
            )
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError, OSError):
            raise invalid_reply("describes a file in an unknown form", fields) from None

    def info(self, folder: str = "") -> FileInfo:
        """Return it as the public value, with a path relative to the workspace."""
        path = f"{folder}/{self.path}" if folder else self.path
        kind: Literal["file", "directory"] = "directory" if self.type == "directory" else "file"
        return FileInfo(path, self.size, self.modified, kind, target=self.target, mode=self.mode)


@attrs.frozen
class RemoteTree:
    """A folder of a session with everything below it, or a file; ``root`` is ``None`` for neither."""

    root: Optional[RemoteEntry]
    entries: Mapping[str, RemoteEntry] = attrs.field(factory=dict)

    @classmethod
    def read(
        cls,
        helpers: Helpers,
        session_id: str,
        path: str,
        *,
        hashes: bool = False,
        ignore: str = NOTHING_IGNORED,
    ) -> RemoteTree:
        """List a folder, page by page."""
        entries: dict[str, RemoteEntry] = {}
        after: Optional[str] = None
        while True:
            reply = helpers.run(
                session_id,
                "file_walk",
                idempotent=True,
                path=path or ".",
                hashes=hashes,
                ignore=ignore,
                after=after,
                limit=_PAGE,
                budget=_HASHED_PER_CALL,
            )
            page, following = list_of(reply, "entries", dict), reply.get("next")
            entries.update((entry.path, entry) for entry in map(RemoteEntry.parse, page))
            # A page that ends where it began would be repeated for ever.
            if not isinstance(following, str) or following == after:
                root = None if reply.get("root") is None else RemoteEntry.parse(reply["root"])
                return cls(root, dict(sorted(entries.items())))
            after = following
