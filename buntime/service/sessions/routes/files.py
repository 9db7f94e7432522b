"""Writing, listing and reading files."""

from __future__ import annotations

from typing import Any

from buntime._http import Response
from buntime.service.errors import ServiceError, invalid
from buntime.service.responses import json_response, timestamp
from buntime.service.sessions.limits import DEFAULT_PAGE, MAX_PAGE
from buntime.service.sessions.routes.context import Call, Model, workspace_refusals
from buntime.service.workspace.base import Entry


def write(model: Model, call: Call) -> Response:
    """``POST /files/write``: create or overwrite one file, and the folders above it."""
    fields = call.fields
    session = model.session(fields)
    path, content = fields.text("path"), fields.text("content").encode()
    if len(content) > model.plan.file_size:
        raise model.plan.file_too_large(path, len(content))
    with workspace_refusals(session, model.plan, path):
        session.disk.write([(path, content)])
    return json_response({"path": path, "size": len(content)})


def list_folder(model: Model, call: Call) -> Response:
    """``GET /files/list``: a page of the direct children of ``path``, a directory."""
    query = call.query
    session = model.session(query)
    path = query.optional_text("path") or ""
    limit = query.query_integer("limit", 1, MAX_PAGE, DEFAULT_PAGE)
    offset = query.query_integer("offset", 0, None, 0)
    with workspace_refusals(session, model.plan, path):
        if session.workspace.stat(path).type == "file":
            raise invalid("path", f"{path} is a file, not a directory", path=path)
        entries = session.workspace.list(path, offset=offset, limit=limit)
    return json_response({"files": [_shown(entry) for entry in entries]})


def read(model: Model, call: Call) -> Response:
    """``GET /files/read``: a file's text; one that is not UTF-8 is 400 ``not_text``."""
    query = call.query
    session = model.session(query)
    path = query.text("path")
    with workspace_refusals(session, model.plan, path):
        content = session.workspace.read(path, max_size=model.plan.file_size)
    return json_response({"path": path, "content": _text(path, content), "size": len(content)})


def _text(path: str, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ServiceError(
            400,
            "not_text",
            f"{path} is not UTF-8 text; an execution can print it, for example in base64",
            {"path": path, "offset": error.start},
        ) from error


def _shown(entry: Entry) -> dict[str, Any]:
    return {
        "path": entry.path,
        "size": entry.size,
        "modified": timestamp(entry.modified, milliseconds=True),
        "type": entry.type,
    }
