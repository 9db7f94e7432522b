"""Programs left running in a session."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from buntime import _validate
from buntime._support.log import logger
from buntime.errors import InvalidResponseError, SessionNotFoundError, WaitTimeoutError
from buntime.helpers.runner import Helpers, text_of
from buntime.models import ExecuteRequest, ProcessLogs, StreamEvent

_PIECE = 256 * 1024
_STEP = 20.0
_STEP_LIMIT = 30
_GATHER = 1.0


class Process:
    """A program left running in a session, until it ends, is killed, or the session falls asleep or ends.

    Made by :meth:`Session.start <buntime.Session.start>` and :meth:`Session.processes
    <buntime.Session.processes>`. As a context manager it is killed on exit, without masking what the block
    raised. What it says is asked of the session each time; all methods raise
    :class:`~buntime.SessionNotFoundError` where the session has ended, and the errors of every call. It
    pickles as its session does; leaving its block elsewhere kills nothing.
    """

    def __init__(self, helpers: Helpers, session_id: str, number: int, pid: int) -> None:
        self._helpers = helpers
        self._session_id = session_id
        self._number = number
        self._pid = pid
        self._exit_code: int | None = None
        self._owner: int | None = os.getpid()

    def __repr__(self) -> str:
        return f"<Process {self._number} of {self._session_id}>"

    def __getstate__(self) -> dict[str, Any]:
        # Elsewhere it is nobody's to kill, also where that process happens to have our number.
        return {**vars(self), "_owner": None}

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if os.getpid() != self._owner:
            return
        try:
            self.kill()
        except SessionNotFoundError:
            logger().debug("%r had ended with its session before it was killed", self)
        except Exception as failure:
            if error is None:
                raise
            logger().warning("%r was not killed: %s", self, failure)

    @property
    def number(self) -> int:
        """Its number in the session, from 1 on."""
        return self._number

    @property
    def pid(self) -> int:
        """Its process id, as the session sees it; it leads a process group of this id."""
        return self._pid

    def running(self) -> bool:
        """Return whether it still runs."""
        return self.exit_code is None

    @property
    def exit_code(self) -> int | None:
        """Its exit code, ``None`` while it runs; 128 and the signal's number where a signal ended it.

        137 where the session's sleep or ``kill_all`` ended it. Known once, it is not asked for again.
        """
        if self._exit_code is None:
            self._look(0.0)
        return self._exit_code

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended and return its exit code.

        ``timeout`` is in seconds, ``None`` for no end; :class:`~buntime.WaitTimeoutError` (also a builtin
        ``TimeoutError``) where it still runs then. The waiting is done in the session, in calls that take 20
        seconds at most.
        """
        for step in _steps(_validate.patience("timeout", timeout)):
            if self._exit_code is None:
                self._look(step)
            if self._exit_code is not None:
                return self._exit_code
        raise WaitTimeoutError(f"process {self._number} still runs after {timeout} s")

    def logs(self, stdout_offset: int = 0, stderr_offset: int = 0) -> ProcessLogs:
        """Return what it has written so far from these offsets on, at most 256 KB of each stream.

        The offsets of the answer say where the next piece begins; nothing new leaves them as they are. A
        character is never cut; bytes that are not UTF-8 become U+FFFD. What is written stays after the end
        of the process, until the session's end.
        """
        offsets = _offset("stdout_offset", stdout_offset), _offset("stderr_offset", stderr_offset)
        return self._logs(*offsets, wait=0.0, gather=0.0)[0]

    def follow(self, stdout_offset: int = 0, stderr_offset: int = 0) -> Iterator[StreamEvent]:
        """Yield what it writes as it comes, from these offsets on, until it has ended.

        The order is kept within stdout and within stderr, not between the two. What comes again and again is
        gathered for up to a second, which saves calls. Leaving the loop ends nothing.
        """
        return self._follow(_offset("stdout_offset", stdout_offset), _offset("stderr_offset", stderr_offset))

    def kill(self) -> None:
        """End it at once, with everything in its process group; nothing where that has ended already.

        What it started in a session of its own (``setsid``) lives on;
        :meth:`Session.kill_all <buntime.Session.kill_all>` ends that too.
        """
        self._note(self._run("process_kill", idempotent=False))

    def _follow(self, out: int, err: int) -> Iterator[StreamEvent]:
        answer: dict[str, Any] = {}
        while answer.get("complete") is not True:
            gather = _GATHER if answer.get("frequent") is True else 0.0
            logs, answer = self._logs(out, err, wait=_STEP, gather=gather)
            out, err = logs.stdout_offset, logs.stderr_offset
            if logs.stdout:
                yield StreamEvent("stdout", logs.stdout)
            if logs.stderr:
                yield StreamEvent("stderr", logs.stderr)

    def _logs(self, out: int, err: int, *, wait: float, gather: float) -> tuple[ProcessLogs, dict[str, Any]]:
        answer = self._run(
            "process_logs",
            idempotent=True,
            stdout=out,
            stderr=err,
            limit=_PIECE,
            wait=wait,
            gather=gather,
        )
        logs = ProcessLogs(
            text_of(answer, "stdout"),
            text_of(answer, "stderr"),
            _integer(answer, "stdout_offset"),
            _integer(answer, "stderr_offset"),
        )
        return logs, answer

    def _look(self, wait: float) -> None:
        self._note(self._run("process_wait", idempotent=True, wait=wait))

    def _note(self, answer: dict[str, Any]) -> None:
        if answer.get("exit_code") is not None:
            self._exit_code = _integer(answer, "exit_code")

    def _run(self, op: str, *, idempotent: bool, **arguments: Any) -> dict[str, Any]:
        return self._helpers.run(
            self._session_id,
            op,
            idempotent=idempotent,
            timeout=_STEP_LIMIT,
            number=self._number,
            **arguments,
        )


def start(helpers: Helpers, session_id: str, request: ExecuteRequest) -> Process:
    """Start a program and return it once it runs."""
    answer = helpers.run(
        session_id,
        "process_start",
        idempotent=False,
        env=request.env,
        code=request.code,
        command=request.command,
        working_dir=request.working_dir,
    )
    return Process(helpers, session_id, _integer(answer, "number"), _integer(answer, "pid"))


def started(helpers: Helpers, session_id: str) -> list[Process]:
    """Return every process that was started in a session, by number."""
    answer = helpers.run(session_id, "process_list", idempotent=True)
    found = answer.get("processes")
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise InvalidResponseError(f"a helper's answer lists no processes: {json.dumps(answer)[:200]}")
    return [Process(helpers, session_id, _integer(one, "number"), _integer(one, "pid")) for one in found]


def wait_for_port(helpers: Helpers, session_id: str, port: int, timeout: float | None) -> None:
    """Wait until a port of the session accepts connections."""
    port = _validate.port(port)
    for step in _steps(_validate.patience("timeout", timeout)):
        answer = helpers.run(session_id, "port", idempotent=True, timeout=_STEP_LIMIT, port=port, wait=step)
        if answer.get("open") is True:
            return
    raise WaitTimeoutError(f"nothing accepts connections on the session's 127.0.0.1:{port} after {timeout} s")


def _steps(timeout: float | None) -> Iterator[float]:
    """Yield how long to wait in each call, together ``timeout`` seconds."""
    while timeout is None or timeout > _STEP:
        yield _STEP
        timeout = None if timeout is None else timeout - _STEP
    yield timeout


def _offset(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int, not {type(value).__name__}")
    if value < 0:
        raise ValueError(f"{name} must not be negative, and is {value}")
    return value


def _integer(answer: dict[str, Any], name: str) -> int:
    value = answer.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise InvalidResponseError(f"a helper's answer has no number {name!r}: {json.dumps(answer)[:200]}")
