"""A folder as a compressed archive that is the same bytes for the same files."""

from __future__ import annotations

import posixpath
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Optional

Filter = Callable[[tarfile.TarInfo], Optional[tarfile.TarInfo]]
_DATE = 315532800
"""1980, the first year that each format of archives has. A date would make each archive another one."""


@contextmanager
def folder_archive(folder: Path, ignore: Optional[Filter] = None) -> Iterator[Any]:
    """Yield a temporary file with the archive; ``ValueError`` for a device, or a link that leads out."""

    def entry(member: tarfile.TarInfo) -> Optional[tarfile.TarInfo]:
        included = member if ignore is None else ignore(member)
        if included is None:
            return None
        if included.islnk():  # a second name of a file that the archive has: stored as a file, too
            included.type, included.linkname = tarfile.REGTYPE, ""
            included.size = (folder / included.name).stat().st_size
        if included.issym():
            target = posixpath.normpath(posixpath.join(posixpath.dirname(included.name), included.linkname))
            if target.startswith(("..", "/")):
                raise ValueError(
                    f"{folder / included.name} leads out of the folder; leave it out with ignore="
                )
        elif not (included.isreg() or included.isdir()):
            raise ValueError(f"{folder / included.name} is a device or a pipe; leave it out with ignore=")
        included.uid = included.gid = 0
        included.uname = included.gname = ""
        included.mtime = _DATE
        included.mode = 0o755 if included.isdir() or included.mode & 0o100 else 0o644
        return included

    import gzip  # on first use: these are slow to import
    import tempfile

    with tempfile.TemporaryFile() as file:
        packed = gzip.GzipFile("", "wb", fileobj=file, mtime=0)
        with packed, tarfile.open(fileobj=packed, mode="w") as archive:
            archive.add(folder, ".", filter=entry)
        file.seek(0)
        yield getattr(file, "file", file)  # on Windows it is a wrapper
