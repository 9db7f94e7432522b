"""The content of objects, to and from presigned URLs: without a key, a header or a cookie of the client."""

from __future__ import annotations

import os
import posixpath
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Optional
from urllib.parse import parse_qsl, urlsplit

from buntime._http import Body, Request
from buntime._support.log import logger
from buntime.errors import BuntimeError, InvalidResponseError
from buntime.runloop.connection import Connection, PreparedCall
from buntime.runloop.wire.routes import Repeat, Route
from buntime.runloop.wire.views.devboxes import ObjectView

Filter = Callable[[tarfile.TarInfo], Optional[tarfile.TarInfo]]
_DATE = 315532800
"""1980, the first year that each format of archives has. A date would make each archive another one."""


def upload(connection: Connection, view: ObjectView, body: Body) -> None:
    """Send the content of a new object. It is repeated: the second time has the same result."""
    connection.send(_presigned("PUT", view.upload_url or "", body, view.upload_headers))


def download(connection: Connection, url: str) -> bytes:
    """Return the content at a URL."""
    return connection.send(_presigned("GET", url))


def download_to(connection: Connection, url: str, path: Path) -> None:
    """Write the content at a URL to a file, which replaces ``path`` when it is complete."""
    part = path.with_name(f".{path.name}.{os.urandom(4).hex()}.part")
    response, chunks = connection.stream(_presigned("GET", url), idempotent=True)
    try:
        with response, open(part, "wb") as file:
            for chunk in chunks:
                file.write(chunk)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def discard(connection: Connection, view: ObjectView) -> None:
    """Delete an object whose upload failed, within 5 seconds; a failure to do so is logged."""
    try:
        connection.for_cleanup().call("objects.delete", view.id)
    except BuntimeError as failure:
        logger().warning("the object %s was not deleted: %s", view.id, failure)


def _presigned(
    method: str, url: str, body: Optional[Body] = None, headers: Optional[Mapping[str, str]] = None
) -> PreparedCall:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise InvalidResponseError("the service returned a presigned URL that is not one of HTTP")
    route = Route("", method, parts.path or "/", Repeat.READ if body is None else Repeat.WRITE, "bytes")
    query = tuple(parse_qsl(parts.query, keep_blank_values=True))
    accept = (("Accept", "*/*"), *(headers or {}).items())
    origin = f"{parts.scheme}://{parts.netloc}"
    return PreparedCall(route, Request(method, route.path, query, accept, body, origin=origin), {})


@contextmanager
def folder_archive(folder: Path, ignore: Optional[Filter] = None) -> Iterator[Any]:
    """Yield a temporary file with the archive; ``ValueError`` for a device, or a link that leads out."""

    def entry(member: tarfile.TarInfo) -> Optional[tarfile.TarInfo]:
        included = member if ignore is None else ignore(member)
        if included is None:
            return None
        path = folder / included.name
        if included.islnk():  # a second name of a file that the archive has: stored as a file, too
            included.type, included.linkname = tarfile.REGTYPE, ""
            included.size = path.stat().st_size
        if included.issym():
            target = posixpath.normpath(posixpath.join(posixpath.dirname(included.name), included.linkname))
            if target.startswith(("..", "/")):
                raise ValueError(f"{path} leads out of the folder; leave it out with ignore=")
        elif not (included.isreg() or included.isdir()):
            raise ValueError(f"{path} is a device or a pipe; leave it out with ignore=")
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
