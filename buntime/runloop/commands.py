"""Commands on a devbox, their executions and results."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any, Callable, Optional

from buntime import _validate
from buntime._support.collected_text import CollectedText
from buntime._support.typing import OnText, Unpack
from buntime._support.unpicklable import NotPicklable
from buntime.runloop import waiting
from buntime.runloop.connection import Connection, RequestOptions, WaitOptions, split_options
from buntime.runloop.output import Watched, completed_output, watch
from buntime.runloop.resource import HasCalls
from buntime.runloop.wire.requests import WAIT_OPTIONS, Params, check_keywords
from buntime.runloop.wire.views.devboxes import ExecutionView

_LAST_OUTPUT = 5.0
"""Seconds to wait for the end of the streams of an execution that has ended."""
_Watch = Callable[[], Watched]


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


class _OfExecution(NotPicklable):
    """Belongs to an execution, whose last state is ``view``; ``texts`` are its streams that were watched."""

    def __init__(
        self, connection: Connection, view: ExecutionView, texts: Optional[dict[str, str]] = None
    ) -> None:
        self._connection = connection
        self._view = view
        self._texts = texts or {}

    @property
    def devbox_id(self) -> str:
        """The id of the devbox."""
        return self._view.devbox_id

    @property
    def execution_id(self) -> str:
        """The id of the execution."""
        return self._view.execution_id


class ExecutionResult(_OfExecution):
    """The result of a command that is completed."""

    def __repr__(self) -> str:
        return f"<ExecutionResult of {self.execution_id}, exit code {self.exit_code}>"

    @property
    def exit_code(self) -> Optional[int]:
        """The exit code; it is 128 + N after signal N."""
        return self._view.exit_status

    @property
    def success(self) -> bool:
        """Whether the exit code is 0."""
        return self.exit_code == 0

    @property
    def failed(self) -> bool:
        """Whether there is an exit code other than 0."""
        return self.exit_code not in {0, None}

    @property
    def result(self) -> ExecutionView:
        """The last state of the execution, as the service returned it."""
        return self._view

    def stdout(self, num_lines: Optional[int] = None) -> str:
        """Return standard output, or its last ``num_lines`` lines.

        The service returns 100 lines with the result; more are fetched when they are read. At most
        ``max_output`` bytes are stored, the first and the last half.
        """
        return self._text("stdout", num_lines)

    def stderr(self, num_lines: Optional[int] = None) -> str:
        """Return standard error; see :meth:`stdout`."""
        return self._text("stderr", num_lines)

    def _text(self, kind: str, num_lines: Optional[int]) -> str:
        if num_lines is not None:
            _validate.count("num_lines", num_lines, minimum=0)
        text = self._texts.get(kind)
        if text is None:
            last = getattr(self._view, kind) or ""
            if num_lines is not None and num_lines <= len(last.rstrip("\n").split("\n")):
                return _last_lines(last, num_lines)
            collected = CollectedText(self._connection.caller.max_output)
            for piece in completed_output(self._connection, self._view, kind):
                collected.add(piece)
            text = self._texts[kind] = collected.text()
        return text if num_lines is None else _last_lines(text, num_lines)


def _last_lines(text: str, count: int) -> str:
    lines = text.rstrip("\n").split("\n")
    return "\n".join(lines[-count:]) if count else ""


class Execution(_OfExecution):
    """A command that runs on a devbox.

    Its callbacks are called by ``watch`` on a separate thread.
    """

    def __init__(self, connection: Connection, view: ExecutionView, watch: Optional[_Watch] = None) -> None:
        super().__init__(connection, view)
        self._error: Optional[BaseException] = None
        self._thread: Optional[threading.Thread] = None
        if watch is not None:
            self._thread = threading.Thread(
                target=self._run_callbacks, args=(watch,), name="buntime-output", daemon=True
            )
            self._thread.start()

    def __repr__(self) -> str:
        return f"<Execution {self.execution_id} on {self.devbox_id}>"

    def _run_callbacks(self, watch: _Watch) -> None:
        try:
            _, self._texts = watch()
        except BaseException as error:
            self._error = error

    def _call(self, call: str, **fields: Any) -> Any:
        name = f"devboxes.executions.{call}"
        return self._connection.call(name, self.execution_id, self.devbox_id, **fields)

    def get_state(self, **options: Unpack[RequestOptions]) -> ExecutionView:
        """Return the present state."""
        return self._call("retrieve", **options)

    def result(self, **options: Unpack[WaitOptions]) -> ExecutionResult:
        """Wait until the command is completed, and return its result.

        Raises :class:`~buntime.WaitTimeoutError` if that takes longer than ``timeout``, the errors of the
        API, and an exception of a callback.
        """
        with self._connection.waits("result", options) as (connection, _):
            view = waiting.COMPLETED(connection, self.execution_id, self.devbox_id)
            if self._thread is not None:
                self._thread.join(connection.caller.remaining())
                if self._thread.is_alive():
                    raise waiting.Pauses(connection, f"the output of {self.execution_id} ends").timeout()
            if self._error is not None:
                raise self._error
        return ExecutionResult(self._connection, view, self._texts)

    def kill(self, *, kill_process_group: Optional[bool] = None, **options: Unpack[RequestOptions]) -> None:
        """Kill the command; ``kill_process_group`` kills the processes that it started, too."""
        self._call("kill", kill_process_group=kill_process_group, **options)
        # A callback, which runs on the thread, may call this.
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_LAST_OUTPUT)

    def send_stdin(
        self, text: Optional[str] = None, *, signal: Optional[str] = None, **options: Unpack[RequestOptions]
    ) -> None:
        """Write to standard input, or send the signal ``EOF`` or ``INTERRUPT``. It is never sent twice.

        The execution must have been started with ``attach_stdin=True``.
        """
        if (text is None) == (signal is None):
            raise TypeError("pass either text or signal")
        self._call("send_std_in", text=text, signal=signal, **options)


class CommandInterface(HasCalls):
    """Runs commands with bash, in ``/home/user``. In a named shell they share directory and variables."""

    def __init__(self, connection: Connection, devbox_id: str, shell_name: Optional[str] = None) -> None:
        super().__init__(connection, devbox_id)
        self._shell_name = shell_name

    def exec(self, command: str, **options: Unpack[ExecOptions]) -> ExecutionResult:
        """Run a command and wait until it is completed. An exit code other than 0 is a result, no error.

        ``stdout``, ``stderr`` and ``output`` are called on this thread. An exception of theirs ends the wait
        and is raised; the command runs on.

        Without callbacks the command is sent again with its ``command_id`` if the response is lost, and
        executed once; with them, or with ``attach_stdin``, it is never sent again.
        """
        fields, callbacks, waits = self._fields("exec", command, options)
        texts: dict[str, str] = {}
        with self._connection.options(waits) as connection:
            if callbacks:
                view = self._start(connection, fields)
                view, texts = watch(connection, view, callbacks)
            elif fields.get("attach_stdin"):
                view = self._start(connection, fields)
                view = waiting.COMPLETED(connection, view.execution_id, self._id, last_n=fields.get("last_n"))
            else:
                fields.pop("attach_stdin", None)
                view = waiting.execute(connection, self._id, fields)
        return ExecutionResult(self._connection, view, texts)

    def exec_async(self, command: str, **options: Unpack[ExecOptions]) -> Execution:
        """Start a command and return it while it runs. It is never sent twice.

        ``stdout``, ``stderr`` and ``output`` are called on a separate thread.
        """
        fields, callbacks, waits = self._fields("exec_async", command, options)
        with self._connection.options(waits) as connection:
            view = self._start(connection, fields)
        # The timeout is that of the start; the streams have the headers alone.
        with self._connection.options({"extra_headers": options.get("extra_headers")}) as connection:
            run = partial(watch, connection, view, callbacks) if callbacks else None
        return Execution(self._connection, view, run)

    def _fields(
        self, call: str, command: str, options: Params
    ) -> tuple[dict[str, Any], dict[str, OnText], dict[str, Any]]:
        """Return the fields of a command, its callbacks, and the options of the wait; none is ``None``."""
        check_keywords(call, options, (*WAIT_OPTIONS, *ExecOptions.__annotations__))
        fields, waits = split_options({name: value for name, value in options.items() if value is not None})
        names = ("stdout", "stderr", "output")
        callbacks = {name: fields.pop(name) for name in names if name in fields}
        for name, callback in callbacks.items():
            _validate.function(name, callback, "a str")
        return {"shell_name": self._shell_name, **fields, "command": command}, callbacks, waits

    def _start(self, connection: Connection, fields: dict[str, Any]) -> ExecutionView:
        unused = ("command_id", "last_n", "optimistic_timeout")
        fields = {name: value for name, value in fields.items() if name not in unused}
        return connection.call("devboxes.execute_async", self._id, **fields)


class NamedShell(CommandInterface):
    """A shell with a name: its commands run one after another and share directory and variables."""

    @property
    def shell_name(self) -> Optional[str]:
        """The name."""
        return self._shell_name
