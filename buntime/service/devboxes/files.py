"""The files of a devbox: paths as commands see them, below ``/home/user`` and ``/tmp``."""

from __future__ import annotations

import posixpath
from typing import Optional

from buntime.service.devboxes.box import HOME, TEMPORARY
from buntime.service.devboxes.devbox import Devbox
from buntime.service.devboxes.errors import ApiError, invalid
from buntime.service.workspace.base import DiskFullError, PathError, TooLargeError, Workspace, WorkspaceGone

MOST_BYTES: int = 256 * 2**20
"""The largest file that is read or mounted."""


def read_file(devbox: Devbox, path: str) -> bytes:
    """Return the bytes of a file; a 400 if there is none."""
    workspace, relative = _resolve(devbox, path)
    try:
        return workspace.read(relative, max_size=MOST_BYTES)
    except FileNotFoundError as error:
        raise invalid(f"There is no file {path}") from error
    except Exception as error:
        raise _file_error(devbox, path, error) from error


def write_file(devbox: Devbox, path: str, content: Optional[bytes], *, is_program: bool = False) -> None:
    """Create or overwrite a file, and the folders above it; without a ``content``, make a folder."""
    workspace, relative = _resolve(devbox, path)
    try:
        if content is None:
            workspace.make_folder(relative)
        else:
            workspace.write(relative, content, executable=is_program)
    except Exception as error:
        raise _file_error(devbox, path, error) from error


def _resolve(devbox: Devbox, path: str) -> tuple[Workspace, str]:
    if "\0" in path:
        raise invalid("A path must not hold a NUL")
    absolute = HOME + path[1:] if path == "~" or path.startswith("~/") else posixpath.join(HOME, path)
    absolute = posixpath.normpath(absolute)
    for folder in (HOME, TEMPORARY):
        if absolute == folder or absolute.startswith(f"{folder}/"):
            return devbox.box.workspace(folder), absolute[len(folder) + 1 :]
    raise ApiError(501, f"{path}: in this model files are read and written below {HOME} and {TEMPORARY} only")


def _file_error(devbox: Devbox, path: str, error: Exception) -> Exception:
    if isinstance(error, WorkspaceGone):
        return invalid(f"Devbox {devbox.id} has lost its files")
    if isinstance(error, TooLargeError):
        return invalid(f"{path} has {error.size} bytes; this model reads files of at most {MOST_BYTES}")
    if isinstance(error, IsADirectoryError):
        return invalid(f"{path} is a directory")
    if isinstance(error, NotADirectoryError):
        return invalid(f"{path}: a file is in the place of a directory of the path")
    if isinstance(error, (PathError, DiskFullError)):
        return invalid(f"{path}: {error}")
    return error
