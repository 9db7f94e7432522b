"""Files of a session as HTML: images, tables and text, for notebooks."""

from __future__ import annotations

import base64
import codecs
import csv
import json
import posixpath
from typing import TYPE_CHECKING, Any, Optional

from buntime._support import html
from buntime._support.export import export

if TYPE_CHECKING:
    from buntime.client.files import SessionFiles

LARGEST_IMAGE = 4 * 1024 * 1024
"""Bytes of an image: the notebook stores them."""
LARGEST_TABLE = 256 * 1024
"""Bytes that are read of any other file."""
_IMAGES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}
_DELIMITERS = {".csv": ",", ".tsv": "\t"}


class FileView:
    """The display of a file or folder in a notebook: at the end of a cell, or with ``display(view)``."""

    def __init__(self, title: str, body: str) -> None:
        self._title = title
        self._body = body

    def __repr__(self) -> str:
        return f"<FileView {self._title}>"

    def _repr_html_(self) -> str:
        return html.titled(self._title, self._body)


def view_file(files: SessionFiles, path: str) -> FileView:
    """See :meth:`SessionFiles.show <buntime.SessionFiles.show>`."""
    info = files.stat(path)
    if info.type == "directory":
        children = files.list(path)
        return FileView(f"{info.path}/, {len(children)} entries", html.values(children) or "")
    title = f"{info.path}, {info.size} bytes"
    with files.open(path, "rb") as file:
        content = file.read(LARGEST_TABLE)
        extension = posixpath.splitext(info.path)[1].lower()
        media_type = next((kind for magic, kind in _IMAGES.items() if content.startswith(magic)), None)
        if extension == ".svg" and b"<svg" in content:
            media_type = "image/svg+xml"
        if media_type is not None and info.size <= LARGEST_IMAGE:
            content += file.read()
            return FileView(title, html.image(media_type, base64.b64encode(content).decode()))
    is_complete = len(content) >= info.size
    try:
        decoded = codecs.getincrementaldecoder("utf-8-sig")().decode(content, is_complete)
    except UnicodeDecodeError:
        decoded = "\0"
    if media_type is not None or "\0" in decoded:
        return FileView(title, html.block(f"[{media_type or 'a binary file'}, not shown; use download()]"))
    table = _table(extension, decoded, is_complete)
    note = "" if is_complete else html.block(f"[the first {len(content)} bytes]")
    return FileView(title, (table or html.block(decoded)) + note)


def _table(extension: str, decoded: str, is_complete: bool) -> Optional[str]:
    """Return a file of rows as a table; ``None`` for one that has none or is damaged."""
    try:
        if extension in _DELIMITERS:
            lines = decoded.splitlines() if is_complete else decoded.splitlines()[:-1]
            header, *rows = csv.reader(lines, delimiter=_DELIMITERS[extension])
            return html.table(header, rows, len(rows))
        value: Any = json.loads(decoded) if extension == ".json" else None
    except (csv.Error, ValueError, RecursionError):
        return None
    if value is None:
        return None
    if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
        names = [*dict.fromkeys(name for row in value for name in row)]
        return html.table(names, ([row.get(name) for name in names] for row in value), len(value))
    return html.block(json.dumps(value, indent=2, ensure_ascii=False))


export("buntime", FileView)
