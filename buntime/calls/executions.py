"""What becomes of an execution: one answer, or a stream of output."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, Optional, TypeVar, Union, overload

import attrs

from buntime._http import Request, Response
from buntime._support.unpicklable import NotPicklable
from buntime.engine.caller import Caller, read_whole
from buntime.errors import APIConnectionError, BuntimeError, InvalidResponseError
from buntime.models import ExecuteRequest, ExecuteResult, KillResult, StreamEvent
from buntime.wire import requests, responses
from buntime.wire.buffered import BufferedResponse
from buntime.wire.fields import invalid

if TYPE_CHECKING:
    from buntime.wire.events import Terminal

T = TypeVar("T")

OnText = Callable[[str], object]
"""What is given output as it comes; what it returns is not looked at."""


class Executions:
    """Runs execute requests over an exchange.

    ``limit`` is the session's own time limit in seconds, where it is known.
    """

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    @staticmethod
    def request(request: ExecuteRequest | None, session_id: str | None, **arguments: Any) -> ExecuteRequest:
        """Return the request that was passed, or one of the arguments, for the session named."""
        if request is not None:
            if not isinstance(request, ExecuteRequest):
                raise TypeError(
                    f"the first argument must be an ExecuteRequest, not {type(request).__name__}; "
                    "code is passed as code="
                )
            given = [name for name, value in arguments.items() if value is not None and value is not False]
            if given:
                raise TypeError(
                    f"{', '.join(given)} was passed beside an ExecuteRequest; put it into the request"
                )
            if session_id is None or session_id == request.session_id:
                session_id = request.session_id
            elif request.session_id is not None:
                raise ValueError(
                    f"the ExecuteRequest names the session {request.session_id}, the call {session_id}"
                )
            request = attrs.evolve(request, session_id=session_id)
        else:
            request = ExecuteRequest(session_id=session_id, **arguments)
        if request.session_id is None:
            raise TypeError("session_id is missing")
        return request

    @overload
    def run(self, request: ExecuteRequest, limit: int | None = None) -> ExecuteResult: ...

    @overload
    def run(
        self, request: ExecuteRequest, limit: int | None = None, *, decode: Callable[[ExecuteResult], T]
    ) -> T: ...

    def run(
        self,
        request: ExecuteRequest,
        limit: int | None = None,
        *,
        decode: Optional[Callable[[ExecuteResult], Any]] = None,
    ) -> Any:
        """Run it and return the result, or what ``decode`` makes of it: what that raises is the call's."""
        made = _checked_result if request.check else responses.result
        return self._caller.call(
            requests.execute(request),
            made if decode is None else lambda answer: decode(made(answer)),
            idempotent=request.idempotent,
            read_timeout=self._wait(request, limit),
        )

    def watch(
        self,
        request: ExecuteRequest,
        limit: int | None = None,
        *,
        on_stdout: OnText | None,
        on_stderr: OnText | None,
    ) -> ExecuteResult:
        """As :meth:`run`, but the callbacks are given the output as it comes."""
        callbacks = _callbacks(on_stdout=on_stdout, on_stderr=on_stderr)
        if not callbacks:
            return self.run(request, limit)
        with self.stream(request, limit) as stream:
            for event in stream:
                callback = callbacks.get(event.kind)
                if callback is not None and event.text:
                    callback(event.text)
        return stream.result

    def stream(self, request: ExecuteRequest, limit: int | None = None) -> ExecuteStream:
        """Run it and return its output as it comes."""
        call = requests.execute(request, stream=True)
        response, chunks, attempts = self._caller.stream(
            call, idempotent=request.idempotent, read_timeout=self._wait(request, limit)
        )
        return ExecuteStream(
            self._heard(response, _items(call, response, chunks)),
            close=response.close,
            check=request.check,
            call=call,
            attempts=attempts,
        )

    def kill(self, session_id: str, pid: int | None) -> KillResult:
        """End one process of a session, or all of them."""
        return self._caller.call(requests.kill(session_id, pid), responses.killed, idempotent=False)

    def _heard(
        self, response: Response, items: Iterator[Union[StreamEvent, ExecuteResult, Terminal]]
    ) -> Iterator[Union[StreamEvent, ExecuteResult, Terminal]]:
        is_complete = False
        try:
            for item in items:
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

    def _wait(self, request: ExecuteRequest, limit: int | None) -> float | None:
        return self._caller.execution_wait(request.timeout or limit or requests.EXECUTION_LIMIT)


def _callbacks(**given: OnText | None) -> dict[str, OnText]:
    """Return the callbacks that were given, by the kind of output they take."""
    for name, callback in given.items():
        if callback is not None and not callable(callback):
            raise TypeError(f"{name} must be callable with a str, not {type(callback).__name__}")
    return {name[3:]: callback for name, callback in given.items() if callback is not None}


def _checked_result(answer: BufferedResponse) -> ExecuteResult:
    return responses.result(answer).check()


def _items(
    call: Request, response: Response, chunks: Iterator[bytes]
) -> Iterator[Union[StreamEvent, ExecuteResult, Terminal]]:
    from buntime.wire import sse
    from buntime.wire.events import decode_event

    content_type = response.headers.get("Content-Type", "").lower()
    if "html" in content_type:
        beginning = next(chunks, b"")
        raise invalid(BufferedResponse(response.status, response.headers, beginning), "it is an HTML page")
    if "json" in content_type:
        body = read_whole(chunks, response.max_bytes)
        result = responses.result(BufferedResponse(response.status, response.headers, body))
        for kind, text in (("stdout", result.stdout), ("stderr", result.stderr)):
            if text:
                yield StreamEvent(kind, text)
        yield result
        return
    for name, data in sse.events(chunks):
        item = decode_event(call, name, data)
        if item is not None:
            yield item


class ExecuteStream(NotPicklable):
    """The events of a running execution, in the order they were sent.

    Iterate to receive :class:`~buntime.StreamEvent` values, or :meth:`lines`; after the loop
    :attr:`result` is the :class:`~buntime.ExecuteResult`. As a context manager it closes the connection when
    left. Leaving early ends nothing but the connection: the execution goes on until it ends or reaches its
    time limit.

    Iterating raises what the service reports of the execution, :class:`~buntime.APIConnectionError`
    where the stream ends without a result (the output so far stays in :attr:`stdout` and
    :attr:`stderr`), and with ``check`` :class:`~buntime.ExecutionFailedError`.
    """

    def __init__(
        self,
        items: Iterator[Union[StreamEvent, ExecuteResult, Terminal]],
        *,
        close: Callable[[], None],
        check: bool,
        call: Request,
        attempts: int,
    ) -> None:
        self._items = items
        self._close = close
        self._check = check
        self._call = call
        self._attempts = attempts
        self._output: dict[str, list[str]] = {"stdout": [], "stderr": []}
        self._result: Optional[ExecuteResult] = None
        self._closed = False

    def __iter__(self) -> Iterator[StreamEvent]:
        return self

    def __next__(self) -> StreamEvent:
        if self._closed:
            raise StopIteration
        try:
            item = next(self._items, None)
            if isinstance(item, StreamEvent):
                self._output.setdefault(item.kind, []).append(item.text)
                return item
            self._finish(item)
        except BaseException as error:
            self.close()
            if isinstance(error, BuntimeError):
                error.call, error.attempts = f"{self._call.method} {self._call.path}", self._attempts
            raise
        self.close()
        raise StopIteration

    def lines(self) -> Iterator[StreamEvent]:
        """Yield the output line by line: each event's ``text`` is one line, without its end.

        A line ends with LF or CRLF. What follows the last line end comes when the stream has ended. Lines of
        stdout and stderr that are written at once do not mix. What iterating raises, this raises too; a line
        that is cut off by an error is in :attr:`stdout` or :attr:`stderr`.
        """
        begun: dict[str, list[str]] = {}
        for event in self:
            *whole, rest = event.text.split("\n")
            for text in whole:
                yield StreamEvent(event.kind, "".join([*begun.pop(event.kind, ()), text]).removesuffix("\r"))
            if rest:
                begun.setdefault(event.kind, []).append(rest)
        for kind, pieces in begun.items():
            yield StreamEvent(kind, "".join(pieces))

    def _finish(self, last: Union[ExecuteResult, Terminal, None]) -> None:
        if last is None:
            raise APIConnectionError("the stream ended without a result", phase="read")
        self._result = last if isinstance(last, ExecuteResult) else last.result(self._streamed)
        if self._check:
            self._result.check()

    def __enter__(self) -> ExecuteStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def stdout(self) -> str:
        """Standard output so far."""
        return self._streamed("stdout")

    @property
    def stderr(self) -> str:
        """Standard error so far."""
        return self._streamed("stderr")

    def _streamed(self, kind: str) -> str:
        return "".join(self._output[kind])

    @property
    def result(self) -> ExecuteResult:
        """What came of the execution; ``RuntimeError`` where the stream has not ended."""
        if self._result is None and self._closed:
            raise RuntimeError(
                "the stream was closed before its end, so what came of the execution is not known"
            )
        if self._result is None:
            raise RuntimeError("the stream has no result yet: iterate to its end first")
        return self._result

    def close(self) -> None:
        """Close the connection. Idempotent."""
        if not self._closed:
            self._closed = True
            self._close()
