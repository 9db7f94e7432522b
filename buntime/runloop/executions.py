"""An execution and its result."""

from __future__ import annotations

import threading
from typing import Optional

from buntime import _validate
from buntime._support.collected_text import CollectedText, bound
from buntime._support.export import export
from buntime._support.typing import Unpack
from buntime._support.unpicklable import NotPicklable
from buntime.runloop import waiting
from buntime.runloop.connection import Connection, RequestOptions, WaitOptions
from buntime.runloop.errors import wait_timeout
from buntime.runloop.output import Watch, open_stream
from buntime.runloop.wire.views.devboxes import ExecutionView

_LAST_OUTPUT = 5.0
"""Seconds to wait for the end of the streams of an execution that has ended."""


class ExecutionResult(NotPicklable):
    """The result of a command that is completed."""

    def __init__(
        self,
        connection: Connection,
        view: ExecutionView,
        collected: Optional[dict[str, CollectedText]] = None,
    ) -> None:
        self._connection = connection
        self._view = view
        self._texts = {kind: text.text() for kind, text in (collected or {}).items()}

    def __repr__(self) -> str:
        return f"<ExecutionResult of {self.execution_id}, exit code {self.exit_code}>"

    @property
    def devbox_id(self) -> str:
        """The id of the devbox."""
        return self._view.devbox_id

    @property
    def execution_id(self) -> str:
        """The id of the execution."""
        return self._view.execution_id

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
            text = getattr(self._view, kind) or ""
            is_cut = getattr(self._view, f"{kind}_truncated") is True
            if num_lines is not None and is_cut and num_lines <= len(text.rstrip("\n").split("\n")):
                return _last_lines(text, num_lines)
            maximum = self._connection.caller.max_output
            if is_cut:
                collected = CollectedText(maximum)
                with open_stream(self._connection, kind, self._view) as stream:
                    for chunk in stream:
                        collected.add(chunk.output)
                text = collected.text()
            else:
                text = bound(text, maximum)[0]
            self._texts[kind] = text
        return text if num_lines is None else _last_lines(text, num_lines)


def _last_lines(text: str, count: int) -> str:
    lines = text.rstrip("\n").split("\n")
    return "\n".join(lines[-count:]) if count else ""


class Execution(NotPicklable):
    """A command that runs on a devbox.

    Its callbacks are called on a separate thread.
    """

    def __init__(self, connection: Connection, view: ExecutionView, watch: Optional[Watch] = None) -> None:
        self._connection = connection
        self._view = view
        self._watch = watch
        self._error: Optional[BaseException] = None
        self._thread: Optional[threading.Thread] = None
        if watch is not None:
            self._thread = threading.Thread(target=self._run_callbacks, name="buntime-output", daemon=True)
            self._thread.start()

    def __repr__(self) -> str:
        return f"<Execution {self.execution_id} on {self.devbox_id}>"

    def _run_callbacks(self) -> None:
        try:
            if self._watch is not None:
                self._watch.run()
        except BaseException as error:
            self._error = error

    @property
    def execution_id(self) -> str:
        """The id of the execution."""
        return self._view.execution_id

    @property
    def devbox_id(self) -> str:
        """The id of the devbox."""
        return self._view.devbox_id

    def get_state(self, **options: Unpack[RequestOptions]) -> ExecutionView:
        """Return the present state."""
        return self._connection.call(
            "devboxes.executions.retrieve", self.execution_id, self.devbox_id, **options
        )

    def result(self, **options: Unpack[WaitOptions]) -> ExecutionResult:
        """Wait until the command is completed, and return its result.

        Raises :class:`~buntime.WaitTimeoutError` if that takes longer than ``timeout``, the errors of the
        API, and an exception of a callback.
        """
        with self._connection.waits("result", options) as (connection, _):
            view = waiting.await_execution(connection, self.devbox_id, self.execution_id)
            if self._thread is not None:
                self._thread.join(connection.caller.remaining())
                if self._thread.is_alive():
                    raise wait_timeout(f"the output of {self.execution_id} did not end within the timeout")
            if self._error is not None:
                raise self._error
        return ExecutionResult(self._connection, view, self._watch.collected if self._watch else None)

    def kill(self, *, kill_process_group: Optional[bool] = None, **options: Unpack[RequestOptions]) -> None:
        """Kill the command; ``kill_process_group`` kills the processes that it started, too."""
        self._connection.call(
            "devboxes.executions.kill",
            self.execution_id,
            self.devbox_id,
            kill_process_group=kill_process_group,
            **options,
        )
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
        self._connection.call(
            "devboxes.executions.send_std_in",
            self.execution_id,
            self.devbox_id,
            text=text,
            signal=signal,
            **options,
        )


export("buntime.runloop", Execution, ExecutionResult)
