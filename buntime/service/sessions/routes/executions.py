"""Executing code, and ending processes."""

from __future__ import annotations

from buntime._http import Response
from buntime.service.responses import event_stream_headers, json_response
from buntime.service.sessions.execution import RunningExecution
from buntime.service.sessions.routes.context import Model, RequestContext, workspace_errors
from buntime.service.sessions.routes.execute_request import parse_execute


def execute(model: Model, context: RequestContext) -> Response:
    """``POST /execute``: the result, or with ``stream`` an event stream of the output and the result.

    The request's ``read_timeout`` limits the wait for the result, or for each event of a stream. After it
    ``TimeoutError`` is raised, and the execution goes on.
    """
    fields = context.fields()
    session = model.session(fields)
    command = parse_execute(model.plan, session, fields)
    if command.files:
        with workspace_errors(session, model.plan, "files", field="files"):
            session.write(command.files)
    running = RunningExecution(session, command.execution, context.request.read_timeout)
    if not command.execution.stream:
        return json_response(running.result())
    return Response(200, event_stream_headers(), running.events(), on_close=running.finish)


def kill(model: Model, context: RequestContext) -> Response:
    """``POST /execution/kill``: end one process of a session, or all; none if the pid is unknown."""
    fields = context.fields()
    session = model.session(fields)
    pids = session.runtime.kill(fields.optional_integer("pid", 1))
    return json_response({"killed": len(pids), "pids": pids})
