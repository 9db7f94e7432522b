"""Archives as JSON: readable, with secrets and times in sight, and independent of the compression."""

from __future__ import annotations

import base64
import io
import json
import tarfile
import zipfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Optional

from buntime._support.form import content_of

ZIP = "application/zip"
GZIP = b"\x1f\x8b"
"""How a file that gzip compressed begins."""
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


def parse_tgz(content: bytes) -> Optional[dict[str, Any]]:
    """Return the entries of a compressed tar by name; ``None`` if it is none.

    The same folder is another file with another release of zlib.
    """
    entries: dict[str, Any] = {}
    total = 0
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            for member in archive:
                total += member.size
                file = archive.extractfile(member) if total <= _LARGEST and member.isfile() else None
                if file is None and not (member.issym() or member.isdir()):
                    return None
                entry = {"link": member.linkname} if member.issym() else {}
                executable = {"executable": True} if file is not None and member.mode & 0o100 else {}
                entries[member.name] = {**entry, **executable, **(_file(file.read()) if file else {})}
    except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError):
        return None
    return entries


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
