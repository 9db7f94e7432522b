"""The things beside devboxes that a service stores: snapshots, blueprints, objects, agents, secrets."""

from __future__ import annotations

import io
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Optional

import attrs

_INTERNAL = {"value", "status", "error", "created", "built", "deleted"}
"""The attributes of a secret, a snapshot and a blueprint that are not in their views."""


def view(row: Any) -> dict[str, Any]:
    """Return an object, an agent, a secret, a snapshot or a blueprint as it is in a response."""
    return attrs.asdict(row, filter=lambda field, value: field.name not in _INTERNAL and value is not None)


@attrs.define(eq=False)
class Snapshot:
    """A snapshot of a devbox's disk.

    ``status`` is ``in_progress``, ``complete``, ``error`` or ``deleted``.
    """

    id: str
    source_devbox_id: str
    source_blueprint_id: Optional[str]
    create_time_ms: int
    name: Optional[str]
    commit_message: Optional[str]
    metadata: Mapping[str, str]
    status: str = "in_progress"
    error: Optional[str] = None
    size_bytes: Optional[int] = None


@attrs.define(eq=False)
class Blueprint:
    """A blueprint. Nothing is built: it is complete at the time ``built``, on the monotonic clock."""

    id: str
    name: str
    parameters: Mapping[str, Any]
    metadata: Mapping[str, str]
    create_time_ms: int
    created: float
    built: float
    deleted: bool = False
    is_public: bool = False

    def status(self, now: float) -> str:
        """Return the status at a time of the monotonic clock."""
        if now >= self.built:
            return "build_complete"
        return "provisioning" if now < (self.created + self.built) / 2 else "building"


@attrs.define(eq=False)
class StoredObject:
    """An object; ``state`` is ``UPLOADING``, ``READ_ONLY`` or ``DELETED``."""

    id: str
    name: str
    content_type: str
    metadata: Mapping[str, str]
    create_time_ms: int
    delete_after_time_ms: Optional[int]
    state: str = "UPLOADING"
    size_bytes: Optional[int] = None


@attrs.frozen
class Agent:
    """A program that is mounted into devboxes; ``source`` is as the client sent it."""

    id: str
    name: str
    version: Optional[str]
    source: Optional[Mapping[str, Any]]
    create_time_ms: int
    is_public: bool = False


@attrs.define(eq=False)
class NamedSecret:
    """A secret. No response has its ``value``."""

    id: str
    name: str
    value: str = attrs.field(repr=False)
    create_time_ms: int
    update_time_ms: int


class Store:
    """The contents of objects, in memory."""

    def __init__(self) -> None:
        self._contents: dict[str, bytes] = {}

    def write(self, name: str, file: BinaryIO) -> int:
        """Store the bytes of a file; return how many there are."""
        self._contents[name] = file.read()
        return len(self._contents[name])

    def open(self, name: str) -> BinaryIO:
        """Return a content from its start."""
        return io.BytesIO(self._contents[name])

    def remove(self, name: str) -> None:
        """Remove a content, if there is one."""
        self._contents.pop(name, None)


class FileStore(Store):
    """The contents of objects in files of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, name: str, file: BinaryIO) -> int:
        """Store the bytes of a file; return how many there are."""
        part = self._folder / f"{name}.{secrets.token_hex(4)}"  # another upload may be in progress
        try:
            with open(part, "wb") as target:
                shutil.copyfileobj(file, target, 1 << 20)
                size = target.tell()
            part.replace(self._folder / name)
            return size
        finally:
            part.unlink(missing_ok=True)

    def open(self, name: str) -> BinaryIO:
        """Return a content from its start."""
        return open(self._folder / name, "rb")

    def remove(self, name: str) -> None:
        """Remove a content, if there is one."""
        (self._folder / name).unlink(missing_ok=True)
