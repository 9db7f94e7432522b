"""Executions: run, stream, kill."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Callable, Optional, TypeVar, Union, overload

from buntime._http import BufferedResponse, Request, Response
from buntime._support.typing import OnText
from buntime.engine.caller import Caller
from buntime.errors import BuntimeError, InvalidResponseError
from buntime.models import ExecuteRequest, ExecuteResult, KillResult, StreamEvent
from buntime.wire import requests, responses

if TYPE_CHECKING:
    # Imported by the first stream: most programs make none.
    from buntime.calls.stream import ExecuteStream
    from buntime.wire.events import Terminal

T = TypeVar("T")


class ExecutionCalls:
    """The calls that concern executions.

    ``session_limit`` is the session's time limit in seconds, if it is known. The read timeout of a call is
    the time that its execution may take, plus the timeout of the client.
    """

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    @overload
    def run(self, request: ExecuteRequest, session_limit: int | None = None) -> ExecuteResult: ...

    @overload
    def run(
        self,
        request: ExecuteRequest,
        session_limit: int | None = None,
        *,
        decode: Callable[[ExecuteResult], T],
    ) -> T: ...

    def run(
        self,
        request: ExecuteRequest,
        session_limit: int | None = None,
        *,
        decode: Callable[[ExecuteResult], Any] = lambda result: result,
    ) -> Any:
        """Execute and return the result, or the return value of ``decode``.

        An exception from ``decode`` is the call's: it gets the call's name and may lead to a retry.
        """
        most = self.max_output(request)

        def decode_response(response: BufferedResponse) -> Any:
            result = responses.decode_result(response, most)
            return decode(result.check() if request.check else result)

        return self._caller.call(
            requests.execute(request),
            decode_response,
            idempotent=request.idempotent,
            read_timeout=self._read_timeout(request, session_limit),
        )

    def watch(
        self,
        request: ExecuteRequest,
        session_limit: int | None = None,
        *,
        on_stdout: Optional[OnText],
        on_stderr: Optional[OnText],
    ) -> ExecuteResult:
        """Like :meth:`run`, but call the callbacks with the output as it arrives."""
        if on_stdout is None and on_stderr is None:
            return self.run(request, session_limit)
        callbacks = {"stdout": on_stdout, "stderr": on_stderr}
        for kind, callback in callbacks.items():
            if callback is not None and not callable(callback):
                raise TypeError(f"on_{kind} must be callable with a str, not {type(callback).__name__}")
        with self.stream(request, session_limit) as stream:
            for event in stream:
                callback = callbacks.get(event.kind)
                if callback is not None and event.text:
                    callback(event.text)
        return stream.result

    def stream(self, request: ExecuteRequest, session_limit: int | None = None) -> ExecuteStream:
        """Execute and return the output as it arrives."""
        from buntime.calls.stream import ExecuteStream

        call = requests.execute(request, stream=True)
        response, chunks, attempts = self._caller.stream(
            call, idempotent=request.idempotent, read_timeout=self._read_timeout(request, session_limit)
        )
        return ExecuteStream(
            self._items(call, response, chunks),
            close=response.close,
            check=request.check,
            call=f"{call.method} {call.path}",
            attempts=attempts,
            max_output=self.max_output(request),
        )

    def kill(self, session_id: str, pid: int | None) -> KillResult:
        """Kill one process of a session, or all of them."""
        return self._caller.call(requests.kill(session_id, pid), responses.decode_killed, idempotent=False)

    def _items(
        self, call: Request, response: Response, chunks: Iterator[bytes]
    ) -> Iterator[Union[StreamEvent, ExecuteResult, Terminal]]:
        from buntime.calls.stream import decode_stream

        is_complete = False
        try:
            for item in decode_stream(call, response, chunks):
                if not isinstance(item, StreamEvent):
                    is_complete = True
                    self._caller.on_stream_complete()
                yield item
        except BuntimeError as error:
            if isinstance(error, InvalidResponseError):
                response.discard()
            self._caller.redact(error)
            raise
        if not is_complete:
            response.discard()

    def max_output(self, request: ExecuteRequest) -> int | None:
        """Return the bytes of each output that the result of a request has at most; ``None`` for no bound."""
        return self._caller.max_output if request.max_output == "default" else request.max_output

    def limit(self, request: ExecuteRequest, session_limit: int | None) -> int:
        """Return the seconds that an execution may take."""
        return request.timeout or session_limit or requests.EXECUTION_LIMIT

    def _read_timeout(self, request: ExecuteRequest, session_limit: int | None) -> float | None:
        timeout = self._caller.timeout
        return None if timeout is None else self.limit(request, session_limit) + timeout
