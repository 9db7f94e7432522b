"""A zip file as JSON: readable, with its secrets and times in sight, and without those of its entries."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Optional

from buntime.cassette.form import content_of

ZIP = "application/zip"
_LARGEST = 64 * 2**20
"""Bytes of the files in an archive up to which it is unpacked."""


def parse_zip(content: bytes) -> Optional[dict[str, Any]]:
    """Return the files of an archive by name: as ``json``, ``text`` or ``base64``; ``None`` if it is none."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            if sum(entry.file_size for entry in entries) > _LARGEST:
                return None
            return {entry.filename: _file(archive.read(entry)) for entry in entries}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError):
        return None


def _file(data: bytes) -> dict[str, Any]:
    """Return the content of a file; JSON as a value, whose fields that vary have their names."""
    content: dict[str, Any] = {**content_of(data)}
    if content.get("text", "").startswith(("{", "[")):
        with suppress(ValueError, RecursionError):
            value = json.loads(content["text"])
            json.dumps(value, allow_nan=False)
            return {"json": value}
    return content


def zip_bytes(files: Mapping[str, Any]) -> bytes:
    """Return an archive with the files of :func:`parse_zip`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, file in files.items():
            if "json" in file:
                data = json.dumps(file["json"], indent=2).encode()
            else:
                data = file["text"].encode() if "text" in file else base64.b64decode(file["base64"])
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
