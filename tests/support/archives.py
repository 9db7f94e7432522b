"""Archives for tests of snapshots."""

from __future__ import annotations

import io
import tarfile


def small_archive() -> io.BytesIO:
    """Return an archive of one empty file ``a``, open at its start."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("a"))
    file.seek(0)
    return file
