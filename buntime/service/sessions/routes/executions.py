"""Executing code, and ending what was left running."""

from __future__ import annotations

from buntime._http import Response
from buntime.service.responses import json_response
from buntime.service.sessions.execution import Run
from buntime.service.sessions.routes.context import Call, Model, workspace_refusals
from buntime.service.sessions.routes.execute_request import ExecuteCommand, parse_execute
from buntime.service.sessions.sessions import Session


def execute(model: Model, call: Call) -> Response:
    """``POST /execute``: the result, or with ``stream`` an event stream of the output and the result.

    The request's ``read_timeout`` bounds the wait for the result, or for each event of a stream:
    ``TimeoutError``, and the execution goes on.
    """
    fields = call.fields
    session = model.session(fields)
    order = parse_execute(model.plan, session, fields)
    _write_files(model, session, order)
    run = Run(session, order.execution, call.request.read_timeout)
    if not order.execution.stream:
        return json_response(run.result())
    headers = [("Content-Type", "text/event-stream"), ("Cache-Control", "no-store")]
    return Response(200, headers, run.events(), on_close=run.finish)


def kill(model: Model, call: Call) -> Response:
    """``POST /execution/kill``: end one process of a session, or all; none where the pid is unknown."""
    fields = call.fields
    session = model.session(fields)
    pids = session.runtime.kill(fields.optional_integer("pid", 1))
    return json_response({"killed": len(pids), "pids": pids})


def _write_files(model: Model, session: Session, order: ExecuteCommand) -> None:
    if not order.files:
        return
    with workspace_refusals(session, model.plan, "files", field="files"):
        session.disk.write(order.files)
