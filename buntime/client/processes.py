"""Programs that run in the background of a session."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Optional, Union

from buntime import _validate
from buntime._support.closing import ClosesWithBlock, close_after
from buntime._support.export import export
from buntime._support.log import logger
from buntime._support.owner import Owner
from buntime.client.context import Context
from buntime.client.polling import STEP, STEP_LIMIT, pause, polls
from buntime.client.standard_input import ProcessInput
from buntime.errors import SessionNotFoundError, WaitTimeoutError
from buntime.helpers.runner import integer_of, list_of, text_of
from buntime.models import ExecuteRequest, ProcessLogs, StreamEvent

_PIECE = 256 * 1024
_GATHER = 1.0


class Process(ClosesWithBlock):
    """A program that runs until it ends, is killed, or the session falls asleep or ends.

    :meth:`Session.start <buntime.Session.start>` and :meth:`Session.processes <buntime.Session.processes>`
    return it. As a context manager it is killed on exit, without masking an exception of the block.

    Each method asks the session. All raise :class:`~buntime.SessionNotFoundError` if it has ended, and the
    errors of every call. A process pickles like its session; leaving its block in another process kills
    nothing.
    """

    def __init__(
        self,
        context: Context,
        session_id: str,
        number: int,
        pid: int,
        stdin_offset: Optional[int] = None,
    ) -> None:
        self._context = context
        self._session_id = session_id
        self._number = number
        self._pid = pid
        self._exit_code: Optional[int] = None
        self._input = ProcessInput(stdin_offset)
        self._owner: Optional[Owner] = Owner()

    def __repr__(self) -> str:
        return f"<Process {self._number} of {self._session_id}>"

    def __getstate__(self) -> dict[str, Any]:
        # Unpickled, it belongs to no process, even if that has the same pid as this one.
        return {**vars(self), "_owner": None, "_input": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update({**state, "_input": ProcessInput()})

    def _leave_block(self, error: Optional[BaseException]) -> None:
        if self._owner is not None and self._owner.is_this_process():
            context = self._context.for_cleanup(error)
            close_after(error, lambda: kill_existing(self, context), f"{self!r} was not killed")

    @property
    def number(self) -> int:
        """Its number in the session, from 1."""
        return self._number

    @property
    def pid(self) -> int:
        """Its process id in the session; it leads a process group with this id."""
        return self._pid

    def running(self) -> bool:
        """Return whether it is still running."""
        return self.exit_code is None

    @property
    def exit_code(self) -> Optional[int]:
        """Its exit code; ``None`` while it is running. Once known, it is not requested again.

        If a signal ended it, 128 plus the signal's number: 137 if the session's sleep or ``kill_all`` did.
        """
        if self._exit_code is None:
            self._update(self._run("process_wait", wait=0.0))
        return self._exit_code

    def wait(self, timeout: Optional[float] = None) -> int:
        """Wait until it ends and return its exit code.

        ``timeout`` is in seconds, ``None`` for no limit. When it is over,
        :class:`~buntime.WaitTimeoutError` (also a builtin ``TimeoutError``) is raised. The waiting happens in
        the session, in calls of at most 20 seconds.
        """
        for step in polls(self._context, _validate.seconds("timeout", timeout)):
            if self._exit_code is None:
                self._update(self._run("process_wait", wait=step))
            if self._exit_code is not None:
                return self._exit_code
        raise WaitTimeoutError(f"process {self._number} is still running after {timeout} s")

    def logs(
        self, stdout_offset: int = 0, stderr_offset: int = 0, *, max_output: Optional[int] = None
    ) -> ProcessLogs:
        """Return its output from these offsets on, at most ``max_output`` bytes of each stream.

        A single call returns at most 256 KB, whatever ``max_output`` is; it must be at least 4, the size of
        a character.

        The offsets of the result are where the next piece begins; if there is no new output, they are those
        that were passed. Characters are never split; bytes that are not UTF-8 become U+FFFD. The output is
        available until the end of the session, also after the process has ended.
        """
        return self._logs(
            _validate.count("stdout_offset", stdout_offset, minimum=0),
            _validate.count("stderr_offset", stderr_offset, minimum=0),
            wait=0.0,
            gather=0.0,
            limit=_PIECE
            if max_output is None
            else min(_PIECE, _validate.count("max_output", max_output, minimum=4)),
        )[0]

    def follow(self, stdout_offset: int = 0, stderr_offset: int = 0) -> Iterator[StreamEvent]:
        """Yield its output as it is written, from these offsets on, until the process ends.

        The order is kept within stdout and within stderr, but not between the two. Frequent output is
        gathered for up to a second, which saves calls. Leaving the loop does not end the process.
        """
        return self._follow(
            _validate.count("stdout_offset", stdout_offset, minimum=0),
            _validate.count("stderr_offset", stderr_offset, minimum=0),
        )

    def write(self, data: Union[str, bytes, bytearray, memoryview], timeout: Optional[float] = None) -> None:
        """Write to its standard input, if it was started with ``stdin=True``; return when it is written.

        Text is written as UTF-8. What the process does not read fills its pipe and a buffer of 2 MB; then
        the call waits for it, at most ``timeout`` seconds, ``None`` for no limit. Calls of several threads
        write one after another. If a response is lost, the call is repeated, and nothing is written twice.

        Raises:
            WaitTimeoutError: the process did not read; the message has the number of bytes that were
                accepted, which it will receive. Also a builtin ``TimeoutError``.
            ConflictError: the process has ended or closed its standard input, :meth:`close_stdin` was called
                (code ``stdin_closed``), or another client wrote at the same time (``changed_meanwhile``).
            InvalidRequestError: it was started without ``stdin=True``.
        """
        seconds = _validate.seconds("timeout", timeout)
        self._input.write(self._context, self._session_id, self._number, data, seconds)

    def close_stdin(self) -> None:
        """Close its standard input after all that was written, so that it reads the end. Idempotent.

        Raises :class:`~buntime.InvalidRequestError` if it was started without ``stdin=True``.
        """
        self._input.close(self._context, self._session_id, self._number)

    def kill(self) -> None:
        """Kill it and everything in its process group. Does nothing if all of that has ended.

        Programs that it started in a new session (``setsid``) keep running;
        :meth:`Session.kill_all <buntime.Session.kill_all>` kills those too.
        """
        self._kill(self._context)

    def _kill(self, context: Context) -> None:
        reply = context.helpers.run(
            self._session_id, "process_kill", idempotent=False, timeout=STEP_LIMIT, number=self._number
        )
        self._update(reply)

    def _follow(self, out: int, err: int) -> Iterator[StreamEvent]:
        reply: dict[str, Any] = {}
        while reply.get("complete") is not True:
            gather = _GATHER if reply.get("frequent") is True else 0.0
            began = self._context.caller.monotonic()
            logs, reply = self._logs(out, err, wait=STEP, gather=gather)
            out, err = logs.stdout_offset, logs.stderr_offset
            if logs.stdout:
                yield StreamEvent("stdout", logs.stdout)
            if logs.stderr:
                yield StreamEvent("stderr", logs.stderr)
            if not logs.stdout and not logs.stderr and reply.get("complete") is not True:
                pause(self._context, began, STEP)

    def _logs(
        self, out: int, err: int, *, wait: float, gather: float, limit: int = _PIECE
    ) -> tuple[ProcessLogs, dict[str, Any]]:
        reply = self._run("process_logs", stdout=out, stderr=err, limit=limit, wait=wait, gather=gather)
        logs = ProcessLogs(
            text_of(reply, "stdout"),
            text_of(reply, "stderr"),
            integer_of(reply, "stdout_offset"),
            integer_of(reply, "stderr_offset"),
        )
        return logs, reply

    def _update(self, reply: dict[str, Any]) -> None:
        if reply.get("exit_code") is not None:
            self._exit_code = integer_of(reply, "exit_code")

    def _run(self, op: str, **arguments: Any) -> dict[str, Any]:
        return self._context.helpers.run(
            self._session_id, op, idempotent=True, timeout=STEP_LIMIT, number=self._number, **arguments
        )


def kill_existing(process: Process, context: Context) -> None:
    """Kill a process, unless its session has ended."""
    try:
        process._kill(context)
    except SessionNotFoundError:
        logger().debug("%r had ended with its session before it was killed", process)


def start(context: Context, session_id: str, request: ExecuteRequest, *, stdin: bool = False) -> Process:
    """Start a program and return it when it runs."""
    # Not sent by default, because cassettes that were recorded before do not have it.
    option: dict[str, Any] = {"stdin": True} if stdin else {}
    reply = context.helpers.run(
        session_id,
        "process_start",
        idempotent=False,
        env=request.env,
        code=request.code,
        command=request.command,
        working_dir=request.working_dir,
        **option,
    )
    return process_of(context, session_id, reply, 0 if stdin else None)


def list_started(context: Context, session_id: str) -> list[Process]:
    """Return every process that was started in a session, in order of their numbers."""
    reply = context.helpers.run(session_id, "process_list", idempotent=True)
    return [process_of(context, session_id, each) for each in list_of(reply, "processes", dict)]


def process_of(
    context: Context, session_id: str, fields: dict[str, Any], stdin_offset: Optional[int] = None
) -> Process:
    """Return the process that a helper describes."""
    number, pid = integer_of(fields, "number"), integer_of(fields, "pid")
    return Process(context, session_id, number, pid, stdin_offset)


def wait_for_port(context: Context, session_id: str, port: int, timeout: Optional[float]) -> None:
    """Wait until a port of the session accepts connections."""
    _validate.port(port)
    for step in polls(context, _validate.seconds("timeout", timeout)):
        reply = context.helpers.run(
            session_id, "port", idempotent=True, timeout=STEP_LIMIT, port=port, wait=step
        )
        if reply.get("open") is True:
            return
    raise WaitTimeoutError(f"nothing accepts connections on the session's 127.0.0.1:{port} after {timeout} s")


export("buntime", Process)
