"""The mounts of a new devbox: files, unpacked objects, and agents that its first commands install."""

from __future__ import annotations

import gzip
import io
import posixpath
import tarfile
import zlib
from collections.abc import Iterator
from shlex import quote
from typing import IO, Any, BinaryIO, Optional

from buntime.service.devboxes.box import HOME, TEMPORARY
from buntime.service.devboxes.errors import ApiError, invalid
from buntime.service.devboxes.files import MOST_BYTES
from buntime.service.devboxes.model import Model
from buntime.service.devboxes.spec import DevboxSpec, strings
from buntime.service.devboxes.storage import StoredObject
from buntime.service.requests import RequestFields

_MOST_UNPACKED = 2**30
_MOST_MEMBERS = 100_000
_PACKAGES = {
    "npm": ("BUN_INSTALL=~/.local bun add --global", "--registry", "@"),
    "pip": ("PIP_BREAK_SYSTEM_PACKAGES=1 python3 -m pip install --user", "--index-url", "=="),
}

File = tuple[str, Optional[bytes], bool]
"""A path, the content or ``None`` for a folder, and whether it is a program."""


def add_mounts(model: Model, fields: RequestFields, spec: DevboxSpec) -> None:
    """Add the mounts of a body to a devbox: contents of files, and commands that run before its others."""
    commands: list[str] = []
    for index, mount in enumerate(fields.array("mounts")):
        if not isinstance(mount, dict):
            raise invalid(f"mounts[{index}] must be an object")
        values = RequestFields(mount, prefix=f"mounts[{index}].")
        kind = values.text("type")
        if kind == "file_mount":
            spec.contents.append((values.text("target"), values.text("content")))
        elif kind == "object_mount":
            stored = model.readable_object(values.text("object_id"))
            spec.contents.append((values.text("object_path"), stored))
        elif kind == "agent_mount":
            commands += _install(model, values, spec)
        elif kind != "code_mount":
            raise invalid(f"mounts[{index}].type is {kind!r}")
    spec.launch_commands[:0] = commands


def mounted_files(model: Model, spec: DevboxSpec) -> Iterator[File]:
    """Yield all files, one at a time; a 400 for an archive that is broken or leads out of its folder."""
    for path, content in spec.contents:
        if isinstance(content, str):
            yield path, content.encode(), False
        else:
            yield from _unpacked(model, content, path)


def _install(model: Model, values: RequestFields, spec: DevboxSpec) -> Iterator[str]:
    """Yield the commands that install an agent; the content of one that is an object is added."""
    agent = model.agents.find_named(values.optional_text("agent_id"), values.optional_text("agent_name"))
    if agent is None:
        raise invalid(f"{values.name('agent_id')} or agent_name is required")
    if agent.source is None:
        raise invalid(f"Agent {agent.id} has no source")
    kind = agent.source["type"]
    source = RequestFields(agent.source[kind])
    folder = values.text("agent_path") if kind in {"git", "object"} else ""
    if kind == "object":
        spec.contents.append((folder, model.readable_object(source.text("object_id"))))
    elif not model.host.network:
        message = f"Agent {agent.id} is installed from {kind}, and devboxes have no network: use network=True"
        raise ApiError(501, message)
    else:
        yield _git(source, folder) if kind == "git" else _package(kind, source, agent.version)
    if values.optional_text("auth_token"):
        spec.notes.append(f"{values.name('auth_token')}: the model sends no token to a repository")
    enter = f"cd {_quoted(folder)} || exit\n" if folder else ""
    yield from (f"{enter}{command}" for command in strings(source, "agent_setup"))


def _package(kind: str, source: RequestFields, version: Optional[str]) -> str:
    command, option, separator = _PACKAGES[kind]
    registry = source.optional_text("registry_url")
    package = source.text("package_name") + (f"{separator}{version}" if version else "")
    return f"{command}{f' {option}={quote(registry)}' if registry else ''} {quote(package)}"


def _git(source: RequestFields, folder: str) -> str:
    ref = source.optional_text("ref")
    checkout = f" && git -C {_quoted(folder)} checkout {quote(ref)} --" if ref else ""
    return f"git clone -- {quote(source.text('repository'))} {_quoted(folder)}{checkout}"


def _quoted(path: str) -> str:
    """Return a path for a command; without a sandbox, its folders have other names."""
    for folder, name in ((HOME, "~/"), ("~", "~/"), (TEMPORARY, '"$TMPDIR"/')):
        if path.startswith(f"{folder}/"):
            return name + quote(path[len(folder) + 1 :])
    return quote(path)


def _unpacked(model: Model, stored: StoredObject, path: str) -> Iterator[File]:
    kind = stored.content_type
    try:
        with model.host.store.open(stored.id) as file:
            source: Any = gzip.GzipFile(fileobj=file) if kind in {"gzip", "tgz"} else file
            if kind in {"tar", "tgz"}:
                yield from _members(source, stored, path)
            else:
                yield path, _read(source, stored.id), False
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise invalid(f"Object {stored.id} is not a valid {kind}: {error}") from error


def _read(file: IO[bytes], name: str) -> bytes:
    content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise invalid(f"{name} is too large: this model mounts files of at most {MOST_BYTES} bytes")
    return content


def _members(file: BinaryIO, stored: StoredObject, path: str) -> Iterator[File]:
    total = 0
    with tarfile.open(fileobj=_Bounded(file), mode="r|") as archive:
        for number, member in enumerate(archive):
            name = member.name
            if name.startswith("/") or ".." in name.split("/"):
                raise invalid(f"Object {stored.id}: {name!r} leads out of the folder")
            if not (member.isreg() or member.isdir()):
                message = f"Object {stored.id}: {name!r} is a link or a device; use files and folders only"
                raise invalid(message)
            total += member.size
            if total > _MOST_UNPACKED or number >= _MOST_MEMBERS:
                raise _too_large()
            content = archive.extractfile(member)
            data = None if content is None else _read(content, name)
            yield posixpath.normpath(f"{path}/{name}"), data, bool(member.mode & 0o100)


class _Bounded(io.RawIOBase):
    """Reads an archive, however little of it is files, up to a bound."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = 0

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(min(size, _MOST_UNPACKED)) if size >= 0 else b""
        self._size += len(data)
        if self._size > 2 * _MOST_UNPACKED:
            raise _too_large()
        return data


def _too_large() -> ApiError:
    return invalid(f"The archive is too large: {_MOST_UNPACKED} bytes and {_MOST_MEMBERS} files at most")
