"""Reading and writing files on a devbox."""

from __future__ import annotations

import re

from buntime._http import Response
from buntime.service.devboxes.context import JSON, Call
from buntime.service.devboxes.errors import invalid
from buntime.service.devboxes.files import read_file, write_file
from buntime.service.requests import check_body_size, header

_BOUNDARY = re.compile(r'multipart/form-data\s*;.*?boundary=(?:"([^"]+)"|([^;\s]+))', re.IGNORECASE)
_NAME = re.compile(rb'content-disposition:[^\r\n]*?[;\s]name="([^"]*)"', re.IGNORECASE)


def write_file_contents(call: Call) -> JSON:
    """``POST /v1/devboxes/{id}/write_file_contents``: write a text."""
    devbox, path, contents = call.devbox, call.body.text("file_path"), call.body.text("contents")
    devbox.require("running")
    write_file(devbox, path, contents.encode())
    return {"devbox_id": devbox.id, "exit_status": 0, "stdout": "", "stderr": ""}


def read_file_contents(call: Call) -> Response:
    """``POST /v1/devboxes/{id}/read_file_contents``: the text of a file, which is read as UTF-8."""
    content = _read(call, "file_path").decode("utf-8", "replace").encode()
    return bytes_response(content, "text/plain; charset=utf-8")


def download_file(call: Call) -> Response:
    """``POST /v1/devboxes/{id}/download_file``: the bytes of a file."""
    return bytes_response(_read(call, "path"), "application/octet-stream")


def upload_file(call: Call) -> JSON:
    """``POST /v1/devboxes/{id}/upload_file``: write the part ``file`` of a form to its part ``path``."""
    devbox = call.devbox
    parts = _form(header(call.request, "Content-Type") or "", call.request.content)
    for name in ("path", "file"):
        if name not in parts:
            raise invalid(f"The form has no part named {name}")
    try:
        path = parts["path"].decode()
    except UnicodeDecodeError as error:
        raise invalid("path is not UTF-8") from error
    devbox.require("running")
    write_file(devbox, path, parts["file"])
    return {}


def _read(call: Call, field: str) -> bytes:
    devbox, path = call.devbox, call.body.text(field)
    devbox.require("running")
    return read_file(devbox, path)


def bytes_response(content: bytes, content_type: str) -> Response:
    """Return a response with a file."""
    length = ("Content-Length", str(len(content)))
    return Response(200, [("Content-Type", content_type), length, ("Cache-Control", "no-store")], [content])


def _form(content_type: str, body: bytes) -> dict[str, bytes]:
    """Return the parts of a multipart body by name."""
    check_body_size(len(body))
    match = _BOUNDARY.match(content_type)
    if match is None:
        raise invalid("Content-Type must be multipart/form-data with a boundary")
    delimiter = b"\r\n--" + (match[1] or match[2]).encode("latin-1", "replace")
    # The text before the first boundary and after the last one belongs to no part.
    _preamble, *sections, end = (b"\r\n" + body).split(delimiter) if delimiter[2:] in body else (b"", b"")
    parts: dict[str, bytes] = {}
    for section in sections:
        head, separator, content = section.partition(b"\r\n\r\n")
        if not separator:
            raise invalid("The form has a part without a header")
        if name := _NAME.search(head):
            parts[name[1].decode("utf-8", "replace")] = content
    if not end.startswith(b"--"):
        raise invalid("The form does not begin or end with its boundary")
    return parts
