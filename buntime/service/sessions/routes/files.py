"""Writing, listing and reading files."""

from __future__ import annotations

from buntime._http import Response
from buntime.service.errors import ServiceError, invalid
from buntime.service.responses import json_response, timestamp
from buntime.service.sessions.limits import DEFAULT_PAGE, MAX_PAGE
from buntime.service.sessions.routes.context import Model, RequestContext, workspace_errors


def write(model: Model, context: RequestContext) -> Response:
    """``POST /files/write``: create or overwrite one file, and the folders above it."""
    fields = context.fields()
    session = model.session(fields)
    path, content = fields.text("path"), fields.text("content").encode()
    model.plan.check_file_size(path, len(content))
    with workspace_errors(session, model.plan, path):
        session.write([(path, content)])
    return json_response({"path": path, "size": len(content)})


def list_folder(model: Model, context: RequestContext) -> Response:
    """``GET /files/list``: a page of the direct children of ``path``, a directory."""
    query = context.query()
    session = model.session(query)
    path = query.optional_text("path") or ""
    limit = query.query_integer("limit", 1, MAX_PAGE, DEFAULT_PAGE)
    offset = query.query_integer("offset", 0, None, 0)
    with workspace_errors(session, model.plan, path):
        if session.workspace.stat(path).type == "file":
            raise invalid("path", f"{path} is a file, not a directory", path=path)
        entries = session.workspace.list(path, offset=offset, limit=limit)
    files = [
        {
            "path": entry.path,
            "size": entry.size,
            "modified": timestamp(entry.modified, milliseconds=True),
            "type": entry.type,
        }
        for entry in entries
    ]
    return json_response({"files": files})


def read(model: Model, context: RequestContext) -> Response:
    """``GET /files/read``: a file's text; a 400 ``not_text`` if it is not UTF-8."""
    query = context.query()
    session = model.session(query)
    path = query.text("path")
    with workspace_errors(session, model.plan, path):
        content = session.workspace.read(path, max_size=model.plan.file_size)
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise ServiceError(
            "not_text",
            f"{path} is not UTF-8 text; an execution can print it, for example in base64",
            {"path": path, "offset": error.start},
        ) from error
    return json_response({"path": path, "content": text, "size": len(content)})
