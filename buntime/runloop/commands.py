"""Commands on a devbox."""

from __future__ import annotations

from typing import Any, Optional

from buntime._support.export import export
from buntime._support.typing import OnText, Unpack
from buntime._support.unpicklable import NotPicklable
from buntime.runloop import waiting
from buntime.runloop.connection import Connection, WaitOptions, split_options
from buntime.runloop.executions import Execution, ExecutionResult
from buntime.runloop.output import Watch
from buntime.runloop.wire.requests import WAIT_OPTIONS, check_keywords
from buntime.runloop.wire.views.devboxes import ExecutionView

_CALLBACKS = ("stdout", "stderr", "output")


class ExecOptions(WaitOptions, total=False):
    """The options of a command."""

    stdout: Optional[OnText]
    """Called with each piece of standard output as it arrives."""
    stderr: Optional[OnText]
    output: Optional[OnText]
    """Called with each piece of both."""
    shell_name: Optional[str]
    attach_stdin: Optional[bool]
    command_id: Optional[str]
    last_n: Optional[int]
    """How many lines of output the response has, by default 100."""
    optimistic_timeout: Optional[int]
    """Seconds after which the service responds although the command runs, at most 25."""


class CommandInterface(NotPicklable):
    """Runs commands with bash, in ``/home/user``. In a named shell they share directory and variables."""

    def __init__(self, connection: Connection, devbox_id: str, shell_name: Optional[str] = None) -> None:
        self._connection = connection
        self._devbox_id = devbox_id
        self._shell_name = shell_name

    def exec(self, command: str, **options: Unpack[ExecOptions]) -> ExecutionResult:
        """Run a command and wait until it is completed. An exit code other than 0 is a result, no error.

        ``stdout``, ``stderr`` and ``output`` are called on this thread. An exception of theirs ends the wait
        and is raised; the command runs on.

        Without callbacks the command is sent again with its ``command_id`` if the response is lost, and
        executed once; with them, or with ``attach_stdin``, it is never sent again.
        """
        fields, waits = self._fields("exec", command, options)
        callbacks = {name: fields.pop(name) for name in _CALLBACKS if name in fields}
        with self._connection.options(waits) as connection:
            if not callbacks and not fields.get("attach_stdin"):
                fields.pop("attach_stdin", None)
                view = waiting.execute(connection, self._devbox_id, fields)
                return ExecutionResult(self._connection, view)
            watch = self._start(connection, fields, callbacks)
            last = watch.run() if callbacks else None
            execution_id, last_n = watch.view.execution_id, fields.get("last_n")
            last = last or waiting.await_execution(connection, self._devbox_id, execution_id, last_n)
        return ExecutionResult(self._connection, last, watch.collected)

    def exec_async(self, command: str, **options: Unpack[ExecOptions]) -> Execution:
        """Start a command and return it while it runs. It is never sent twice.

        ``stdout``, ``stderr`` and ``output`` are called on a separate thread.
        """
        fields, waits = self._fields("exec_async", command, options)
        callbacks = {name: fields.pop(name) for name in _CALLBACKS if name in fields}
        with self._connection.options(waits) as connection:
            watch = self._start(connection, fields, callbacks)
        # The timeout is that of the start; the streams have the headers alone.
        with self._connection.options({"extra_headers": options.get("extra_headers")}) as watch.connection:
            pass
        return Execution(self._connection, watch.view, watch if callbacks else None)

    def _fields(self, call: str, command: str, options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the fields of a command without those that are ``None``, and the options of the wait."""
        check_keywords(call, options, (*WAIT_OPTIONS, *ExecOptions.__annotations__))
        fields, waits = split_options({name: value for name, value in options.items() if value is not None})
        return {"shell_name": self._shell_name, **fields, "command": command}, waits

    def _start(self, connection: Connection, fields: dict[str, Any], callbacks: dict[str, OnText]) -> Watch:
        unused = ("command_id", "last_n", "optimistic_timeout")
        nothing = ExecutionView(devbox_id=self._devbox_id, execution_id="", status="queued")
        watch = Watch(connection, nothing, callbacks)  # checks them before anything is sent
        fields = {name: value for name, value in fields.items() if name not in unused}
        watch.view = connection.call("devboxes.execute_async", self._devbox_id, **fields)
        return watch


class NamedShell(CommandInterface):
    """A shell with a name: its commands run one after another and share directory and variables."""

    @property
    def shell_name(self) -> Optional[str]:
        """The name."""
        return self._shell_name


export("buntime.runloop", CommandInterface, ExecOptions, NamedShell)
