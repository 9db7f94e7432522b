"""Small files, of which one call carries many."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Optional

from buntime.helpers.content import PIECE, decode_base64
from buntime.helpers.local_files import iterate_batches
from buntime.helpers.runner import Helpers, invalid_reply

_PATHS_REQUESTED = 48 * 1024
"""Bytes of the paths in one request."""


def is_small(size: int) -> bool:
    """Whether a file of this size is sent or fetched together with others."""
    return size <= PIECE // 2


def fetch_small(
    helpers: Helpers, session_id: str, folder: str, sizes: Mapping[str, int]
) -> Iterator[tuple[str, Optional[bytes]]]:
    """Yield the path and the content of small files in a folder.

    ``sizes`` are those in a list of the folder. The content of a file that has grown since then, that
    vanished, or that cannot be read is ``None``.
    """
    for batch in iterate_batches(sizes.items(), most_bytes=PIECE, most_path_bytes=_PATHS_REQUESTED):
        items = [[path, sizes[path]] for path in batch]
        reply = helpers.run(session_id, "file_pack", idempotent=True, path=folder or ".", items=items)
        contents = reply.get("contents")
        if not isinstance(contents, list) or len(contents) != len(items):
            raise invalid_reply("does not have the requested files", reply)
        for path, text in zip(batch, contents):
            yield path, None if text is None else decode_base64(text)
