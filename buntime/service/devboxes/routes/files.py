"""Reading and writing files on a devbox."""

from __future__ import annotations

import re

from buntime._http import Response
from buntime.service.devboxes.context import Call
from buntime.service.devboxes.errors import invalid
from buntime.service.devboxes.files import read_file, write_file
from buntime.service.requests import check_body_size, header
from buntime.service.responses import json_response

_BOUNDARY = re.compile(r'multipart/form-data\s*;.*?boundary=(?:"([^"]+)"|([^;\s]+))', re.IGNORECASE)
_NAME = re.compile(rb'content-disposition:[^\r\n]*?[;\s]name="([^"]*)"', re.IGNORECASE)


def write_file_contents(call: Call) -> Response:
    """``POST /v1/devboxes/{id}/write_file_contents``: write a text."""
    devbox = call.model.devboxes.get(*call.ids)
    path, contents = call.body.text("file_path"), call.body.text("contents")
    with devbox.lock:
        devbox.require("running")
    write_file(devbox, path, contents.encode())
    return json_response({"devbox_id": devbox.id, "exit_status": 0, "stdout": "", "stderr": ""})


def read_file_contents(call: Call) -> Response:
    """``POST /v1/devboxes/{id}/read_file_contents``: the text of a file, which is read as UTF-8."""
    content = _read(call, "file_path").decode("utf-8", "replace").encode()
    return bytes_response(content, "text/plain; charset=utf-8")


def download_file(call: Call) -> Response:
    """``POST /v1/devboxes/{id}/download_file``: the bytes of a file."""
    return bytes_response(_read(call, "path"), "application/octet-stream")


def upload_file(call: Call) -> Response:
    """``POST /v1/devboxes/{id}/upload_file``: write the part ``file`` of a form to its part ``path``."""
    devbox = call.model.devboxes.get(*call.ids)
    parts = _form(header(call.request, "Content-Type") or "", call.request.content)
    missing = [name for name in ("path", "file") if name not in parts]
    if missing:
        raise invalid(f"The form has no part named {missing[0]}")
    try:
        path = parts["path"].decode()
    except UnicodeDecodeError as error:
        raise invalid("path is not UTF-8") from error
    with devbox.lock:
        devbox.require("running")
    write_file(devbox, path, parts["file"])
    return json_response({})


def _read(call: Call, field: str) -> bytes:
    devbox = call.model.devboxes.get(*call.ids)
    path = call.body.text(field)
    with devbox.lock:
        devbox.require("running")
    return read_file(devbox, path)


def bytes_response(content: bytes, content_type: str) -> Response:
    """Return a response with a file."""
    headers = [
        ("Content-Type", content_type),
        ("Content-Length", str(len(content))),
        ("Cache-Control", "no-store"),
    ]
    return Response(200, headers, [content])


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
        name = _NAME.search(head)
        if name is not None:
            parts[name[1].decode("utf-8", "replace")] = content
    if not end.startswith(b"--"):
        raise invalid("The form does not begin or end with its boundary")
    return parts
