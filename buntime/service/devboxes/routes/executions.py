"""Running commands, waiting for them, and reading their output."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional

from buntime._http import Response
from buntime.service.devboxes.context import JSON, Call
from buntime.service.devboxes.errors import ApiError, invalid
from buntime.service.devboxes.history import Execution
from buntime.service.devboxes.spec import clean_text, without_nulls
from buntime.service.responses import KEEP_ALIVE, event_stream_headers, json_bytes

_LAST_LINES = 100
_HOLD = 25


def execute(call: Call) -> JSON:
    """``POST /v1/devboxes/{id}/execute``: held until the command has ended, at most 25 s."""
    execution = _start(call, call.body.text("command_id"))
    seconds = call.seconds("optimistic_timeout", _HOLD, _HOLD)
    call.devbox.hold(lambda: execution.status == "completed", seconds, call.request.read_timeout)
    return _respond(call, execution)


def execute_async(call: Call) -> JSON:
    """``POST /v1/devboxes/{id}/execute_async``: return when the command has started."""
    return _respond(call, _start(call))


def execute_sync(call: Call) -> JSON:
    """``POST /v1/devboxes/{id}/execute_sync``: held until the command has ended, however long it takes."""
    execution = _start(call)
    if not call.devbox.hold(lambda: execution.status == "completed", None, call.request.read_timeout):
        raise ApiError(408, f"Execution {execution.id} is still running")
    result = {kind: log.last_lines(2**62)[0] for kind, log in execution.outputs.items()}
    return {"devbox_id": call.devbox.id, "exit_status": execution.exit_status, **result}


def retrieve(call: Call) -> JSON:
    """``GET /v1/devboxes/{id}/executions/{execution_id}``."""
    return _respond(call, _find(call))


def wait_for_status(call: Call) -> JSON:
    """``POST …/executions/{execution_id}/wait_for_status``: held until it has one of ``statuses``."""
    execution = _find(call)
    _last_lines(call)
    call.hold(execution, ("queued", "running", "completed"), _HOLD, _HOLD)
    return _respond(call, execution)


def kill(call: Call) -> JSON:
    """``POST …/executions/{execution_id}/kill``: kill its first process, or all of them."""
    group = call.body.flag("kill_process_group")
    devbox, execution = call.devbox, _find(call)
    with devbox.lock:
        if execution.status == "queued":
            devbox.finished(execution, 137, devbox.clock.monotonic())
        elif execution.status == "running":
            devbox.box.signal(execution, "SIGKILL", group=group)
    return _respond(call, execution)


def send_std_in(call: Call) -> JSON:
    """``POST …/executions/{execution_id}/send_std_in``: write text, or send EOF or INTERRUPT."""
    text, signal = call.body.optional_text("text"), call.body.optional_text("signal", ("EOF", "INTERRUPT"))
    if (text is None) == (signal is None):
        raise invalid("Exactly one of text and signal must be set")
    devbox, execution = call.devbox, _find(call)
    with devbox.lock:
        if execution.status != "running":
            raise invalid(f"Execution {execution.id} is {execution.status}")
        if signal == "INTERRUPT":
            devbox.box.signal(execution, "SIGINT")
        elif not execution.attach_stdin:
            raise invalid(f"Execution {execution.id} was started without attach_stdin")
        else:
            devbox.box.feed(execution, text)
    return {"devbox_id": devbox.id, "execution_id": execution.id, "success": True}


def stream_updates(call: Call) -> Response:
    """``GET …/stream_stdout_updates``: events with pieces of the output, until the command has ended."""
    execution = _find(call)
    kind = "stderr" if call.request.path.endswith("stderr_updates") else "stdout"
    offset = call.query.query_integer("offset", 0, None, 0)
    return Response(200, event_stream_headers(), _events(call, execution, kind, offset), max_bytes=None)


def _start(call: Call, command_id: Optional[str] = None) -> Execution:
    """Start a command, or queue it in its shell; one with a known ``command_id`` runs once."""
    devbox, command = call.devbox, clean_text(call.body, "command")
    _last_lines(call)
    shell_name, attach_stdin = call.body.optional_text("shell_name"), call.body.flag("attach_stdin")
    with devbox.lock:
        devbox.require("running")
        if (earlier := devbox.commands.with_command_id(command_id)) is not None:
            return earlier
        is_queued = devbox.commands.first_in_shell(shell_name) is not None
    now = devbox.clock.monotonic()
    execution = Execution(call.model.new_id("exc_"), command, now, shell_name, attach_stdin, command_id)
    if not is_queued:
        devbox.box.prepare(execution)
    with devbox.lock:
        devbox.require("running")
        # The lock was free meanwhile.
        if (earlier := devbox.commands.with_command_id(command_id)) is not None:
            return earlier
        if devbox.commands.add(execution):
            devbox.start(execution, devbox.clock.monotonic())
    return execution


def _find(call: Call) -> Execution:
    with call.devbox.lock:
        call.devbox.settle()
        return call.devbox.commands.get(call.ids[1])


def _last_lines(call: Call) -> int:
    return call.query.query_integer("last_n", 0, None, _LAST_LINES)


def _respond(call: Call, execution: Execution) -> JSON:
    count = _last_lines(call)
    fields: JSON = {"devbox_id": call.devbox.id, "execution_id": execution.id}
    with call.devbox.lock:
        fields.update({name: getattr(execution, name) for name in ("status", "exit_status", "shell_name")})
        for kind, log in execution.outputs.items():
            fields[kind], fields[f"{kind}_truncated"] = log.last_lines(count)
    return without_nulls(fields)


def _events(call: Call, execution: Execution, kind: str, offset: int) -> Iterator[bytes]:
    devbox, log = call.devbox, execution.outputs[kind]

    def ready() -> bool:
        return log.size > offset or execution.status == "completed"

    # Without output a comment is sent, but not on a clock that stands still.
    silence = devbox.host.silence
    while True:
        if not devbox.hold(ready, silence, call.request.read_timeout, for_output=True):
            yield KEEP_ALIVE
            continue
        with devbox.lock:
            start, text, end = log.read(offset)
        if text:
            offset = end
            yield b"data: " + json_bytes({"output": text, "offset": start}) + b"\n\n"
        elif execution.status == "completed" and log.size <= offset:
            return
