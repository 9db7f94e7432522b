"""Evaluations that keep their state, in a process of a session."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Optional

from buntime import _validate
from buntime._support.closing import ClosesWithBlock, close_after
from buntime._support.export import export
from buntime._support.log import logger
from buntime._support.owner import Owner
from buntime._support.typing import OnText
from buntime._support.unpicklable import NotPicklable
from buntime.client.context import Context
from buntime.client.functions import Functions, call_payload
from buntime.client.processes import Process, kill_existing, process_of
from buntime.errors import (
    APIError,
    BuntimeError,
    ExecutionFailedError,
    ExecutionTimeoutError,
    SessionNotFoundError,
)
from buntime.models import ExecuteRequest, MaxOutput

_STOP_LIMIT = 10


class Repl(ClosesWithBlock, NotPicklable):
    """Evaluates JavaScript and TypeScript in one process, so that variables, functions and imports stay.

    :meth:`Session.repl <buntime.Session.repl>` returns it. Its process starts with the first evaluation, and
    ends with :meth:`close` or the block. Evaluations of several threads run one after another; each takes one
    call. An evaluation whose response is lost is not evaluated again when the call is retried.

    The state survives errors, and time limits and interrupts unless JavaScript is in an endless loop. If it
    is lost, because the process had to be killed or ended in another way, the evaluation raises an error
    whose message says so, :attr:`process` is ``None``, and the next evaluation starts with an empty state.

    It belongs to the process of Python that created it: in a forked child its methods raise ``RuntimeError``.
    """

    def __init__(
        self, context: Context, session_id: str, time_limit: Optional[int], env: Optional[Mapping[str, str]]
    ) -> None:
        self._context = context
        self._session_id = session_id
        self._time_limit = time_limit
        self._env = _validate.env(env)
        self._owner = Owner()
        self._lock = threading.RLock()
        self._process: Optional[Process] = None
        self._turn = 0
        self._evaluating = False
        self._closed = False

    def __repr__(self) -> str:
        return f"<Repl of {self._session_id}>"

    @property
    def process(self) -> Optional[Process]:
        """The process that has the state; ``None`` before the first evaluation, and if the state was lost."""
        return self._process

    def eval(
        self,
        source: str,
        /,
        *,
        timeout: Optional[int] = None,
        on_stdout: Optional[OnText] = None,
        on_stderr: Optional[OnText] = None,
        max_output: MaxOutput = "default",
    ) -> Any:
        """Evaluate code and return the value of its last statement, awaited; ``None`` if that has no value.

        Arguments:
            source: JavaScript or TypeScript, with ``import`` and ``await`` at its top level.
            timeout: whole seconds that it may take; by default the session's limit.
            on_stdout: called on this thread with each piece of its output as it arrives.
            on_stderr: the same for standard error.
            max_output: as for :meth:`Session.call <buntime.Session.call>`.

        Output that is written between two evaluations belongs to the later one.

        Raises:
            JavaScriptError: it raised an error, does not parse, or its value has no Python equivalent;
                ``stack`` has lines like ``eval-3:2:7``, evaluation, line and column.
            ExecutionTimeoutError: it reached the time limit; the message says whether the state survived.
            ExecutionFailedError: the process has ended, for example by ``process.exit()``; the state is lost.
            RuntimeError: the REPL is closed, or this is a callback of an evaluation.
        """
        payload = {"source": _validate.text("source", source)}
        request = self._request(timeout, max_output)
        return self._evaluate(request, payload, on_stdout, on_stderr)

    def call(
        self,
        function: str,
        /,
        *args: Any,
        timeout: Optional[int] = None,
        on_stdout: Optional[OnText] = None,
        on_stderr: Optional[OnText] = None,
        max_output: MaxOutput = "default",
    ) -> Any:
        """Call a function with the state of the REPL, and return its return value, awaited.

        ``function`` is the source of a function, the name of one that was declared here, or an export of a
        file, ``"./lib.ts#summarise"``. The arguments and errors are those of
        :meth:`Session.call <buntime.Session.call>` and :meth:`eval`.
        """
        payload = call_payload(function, args)
        request = self._request(timeout, max_output)
        return self._evaluate(request, payload, on_stdout, on_stderr)

    def _request(self, timeout: Optional[int], max_output: MaxOutput) -> ExecuteRequest:
        # The number of an evaluation makes repeating its request harmless.
        return ExecuteRequest(
            "", session_id=self._session_id, timeout=timeout, idempotent=True, max_output=max_output
        )

    def _evaluate(
        self,
        request: ExecuteRequest,
        payload: dict[str, Any],
        on_stdout: Optional[OnText],
        on_stderr: Optional[OnText],
    ) -> Any:
        # An error after the start of an evaluation ends the process, and its state.
        _validate.optional_callable("on_stdout", on_stdout)
        _validate.optional_callable("on_stderr", on_stderr)
        if not self._owner.is_this_process():
            raise RuntimeError("this REPL belongs to the process that created it; create one in this process")
        with self._lock, self._context.caller.one_deadline():
            if self._closed:
                raise RuntimeError("the REPL is closed; create another with session.repl()")
            if self._evaluating:
                raise RuntimeError("a callback of an evaluation cannot evaluate in the same REPL")
            self._evaluating = True
            try:
                return self._next(request, payload, on_stdout, on_stderr)
            finally:
                self._evaluating = False

    def _next(
        self,
        request: ExecuteRequest,
        payload: dict[str, Any],
        on_stdout: Optional[OnText],
        on_stderr: Optional[OnText],
    ) -> Any:
        functions = Functions(self._context)
        if self._process is None:
            reply = self._context.helpers.run(self._session_id, "repl_start", idempotent=False, env=self._env)
            self._process, self._turn = process_of(self._context, self._session_id, reply), 0
        self._turn += 1
        number = {"number": self._process.number, "turn": self._turn}
        try:
            result, reply = functions.run(
                "repl_eval", request, payload, self._time_limit, on_stdout, on_stderr, **number
            )
        except SessionNotFoundError:
            self._process = None
            raise
        except APIError:
            raise  # it may still run: the next evaluation waits for it
        except ExecutionTimeoutError as error:
            raise ExecutionTimeoutError(
                f"the evaluation reached its time limit; {self._stop(error)}", result=error.result
            ) from None
        except BaseException as error:
            self._stop(error)
            raise
        if "ended" in reply:
            self._process = None
            message = (
                f"the process of the REPL has ended with exit code {reply['ended']}; its state is lost, "
                "and the next evaluation starts with an empty one"
            )
            raise ExecutionFailedError(message, result=result)
        return functions.value(self._session_id, reply, result)

    def _stop(self, error: BaseException) -> str:
        """Abandon the evaluation, and kill a process that does not respond; return the state's state."""
        context = self._context.for_cleanup(error)
        process = self._process
        try:
            reply = context.helpers.run(
                self._session_id,
                "repl_stop",
                idempotent=True,
                timeout=_STOP_LIMIT,
                number=process.number if process else 0,
                turn=self._turn,
            )
            if reply.get("kept") is True:
                return "the state is kept, and what it waits for is not cancelled"
            self._kill(context)
        except BuntimeError as failure:
            logger().warning("%r: an evaluation was not stopped: %s", self, failure)
            return f"it was not stopped: {failure}"
        return "the state is lost, and the next evaluation starts with an empty one"

    def _kill(self, context: Context) -> None:
        process, self._process = self._process, None
        if process is not None:
            kill_existing(process, context)

    def close(self) -> None:
        """End the process, and with it the state. Idempotent."""
        self._close(self._context)

    def _close(self, context: Context) -> None:
        if self._owner.is_this_process():
            self._closed = True
            self._kill(context)

    def _leave_block(self, error: Optional[BaseException]) -> None:
        context = self._context.for_cleanup(error)
        close_after(error, lambda: self._close(context), f"{self!r} was not closed")


export("buntime", Repl)
