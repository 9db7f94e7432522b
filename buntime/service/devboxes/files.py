"""The files of a devbox: paths as commands see them, below ``/home/user`` and ``/tmp``."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Optional

from buntime.service.devboxes.box import HOME, TEMPORARY
from buntime.service.devboxes.devbox import Devbox
from buntime.service.devboxes.errors import ApiError, invalid
from buntime.service.workspace.base import DiskFullError, PathError, TooLargeError, Workspace, WorkspaceGone

MOST_BYTES: int = 256 * 2**20
"""The largest file that is read or mounted."""


def read_file(devbox: Devbox, path: str) -> bytes:
    """Return the bytes of a file; a 400 if there is none."""
    with _workspace(devbox, path) as (workspace, relative):
        return workspace.read(relative, max_size=MOST_BYTES)


def write_file(devbox: Devbox, path: str, content: Optional[bytes], *, is_program: bool = False) -> None:
    """Create or overwrite a file, and the folders above it; without a ``content``, make a folder."""
    with _workspace(devbox, path) as (workspace, relative):
        if content is None:
            workspace.make_folder(relative)
        else:
            workspace.write(relative, content, executable=is_program)


@contextmanager
def _workspace(devbox: Devbox, path: str) -> Iterator[tuple[Workspace, str]]:
    """Enter the workspace of a path, with the path in it. Its errors become a 400."""
    if "\0" in path:
        raise invalid("A path must not hold a NUL")
    absolute = HOME + path[1:] if path == "~" or path.startswith("~/") else posixpath.join(HOME, path)
    absolute = posixpath.normpath(absolute)
    folder = next((each for each in (HOME, TEMPORARY) if f"{absolute}/".startswith(f"{each}/")), None)
    if folder is None:
        message = f"{path}: in this model files are read and written below {HOME} and {TEMPORARY} only"
        raise ApiError(501, message)
    try:
        yield devbox.box.workspace(folder), absolute[len(folder) + 1 :]
    except WorkspaceGone as error:
        raise invalid(f"Devbox {devbox.id} has lost its files") from error
    except FileNotFoundError as error:
        raise invalid(f"There is no file {path}") from error
    except TooLargeError as error:
        message = f"{path} has {error.size} bytes; this model reads files of at most {MOST_BYTES}"
        raise invalid(message) from error
    except IsADirectoryError as error:
        raise invalid(f"{path} is a directory") from error
    except NotADirectoryError as error:
        raise invalid(f"{path}: a file is in the place of a directory of the path") from error
    except (PathError, DiskFullError) as error:
        raise invalid(f"{path}: {error}") from error
