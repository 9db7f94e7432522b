"""The output of a running execution."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Callable, Optional, Union

import attrs

from buntime._http import BufferedResponse, Request, Response
from buntime._support import sse
from buntime._support.closing import ClosesWithBlock
from buntime._support.collected_text import CollectedText
from buntime._support.export import export
from buntime._support.unpicklable import NotPicklable
from buntime.engine.limits import read_all
from buntime.errors import APIConnectionError, BuntimeError
from buntime.models import ExecuteResult, OutputKind, StreamEvent
from buntime.wire import responses
from buntime.wire.events import Terminal, decode_event
from buntime.wire.fields import invalid


class ExecuteStream(ClosesWithBlock, NotPicklable):
    """The events of a running execution, in the order in which they were sent.

    Iterate to receive :class:`~buntime.StreamEvent` values, or iterate over :meth:`lines`. After the loop,
    :attr:`result` is the :class:`~buntime.ExecuteResult`. As a context manager it closes the connection at
    the end of the block. Leaving the loop early closes only the connection: the execution continues until it
    ends or reaches its time limit.

    Iterating raises the errors that the service reports for the execution;
    :class:`~buntime.APIConnectionError` if the stream ends without a result (the output so far is in
    :attr:`stdout` and :attr:`stderr`); and with ``check`` :class:`~buntime.ExecutionFailedError`.

    Every event is passed on in full. ``max_output`` bounds the output that the stream stores for
    :attr:`stdout`, :attr:`stderr` and :attr:`result`.
    """

    def __init__(
        self,
        items: Iterator[Union[StreamEvent, ExecuteResult, Terminal]],
        *,
        close: Callable[[], None],
        check: bool,
        call: str,
        attempts: int,
        max_output: Optional[int],
    ) -> None:
        self._items = items
        self._close = close
        self._check = check
        self._call = call
        self._attempts = attempts
        self._output = {kind: CollectedText(max_output) for kind in ("stdout", "stderr")}
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
                collected = self._output.get(item.kind)
                if collected is not None:
                    collected.add(item.text)
                return item
            if item is None:
                raise APIConnectionError("the stream ended without a result", phase="read")
            # Its readers hold megabytes of output in several forms, and closing completes a recording of it.
            self._items = iter(())
            self._result = (
                self._bounded(item) if isinstance(item, ExecuteResult) else item.result(self._output)
            )
            del item
            if self._check:
                self._result.check()
        except BaseException as error:
            self.close()
            if isinstance(error, BuntimeError):
                error.call, error.attempts = self._call, self._attempts
            raise
        self.close()
        raise StopIteration

    def lines(self) -> Iterator[StreamEvent]:
        """Yield the output line by line: the ``text`` of each event is one line, without its line end.

        A line ends with LF or CRLF. Text after the last line end is yielded when the stream has ended. Lines
        that are written to stdout and stderr concurrently do not mix. Errors are those of iterating; a line
        that an error cuts off is in :attr:`stdout` or :attr:`stderr`.
        """
        unfinished: dict[OutputKind, list[str]] = {}
        for event in self:
            *complete, rest = event.text.split("\n")
            for text in complete:
                line = "".join([*unfinished.pop(event.kind, ()), text])
                yield StreamEvent(event.kind, line.removesuffix("\r"))
            if rest:
                unfinished.setdefault(event.kind, []).append(rest)
        for kind, pieces in unfinished.items():
            yield StreamEvent(kind, "".join(pieces))

    @property
    def stdout(self) -> str:
        """Standard output so far, bounded by ``max_output``."""
        return self._output["stdout"].text()

    @property
    def stderr(self) -> str:
        """Standard error so far, bounded by ``max_output``."""
        return self._output["stderr"].text()

    def _bounded(self, result: ExecuteResult) -> ExecuteResult:
        """Return a result whose output has arrived as events before."""
        out, err = self._output["stdout"], self._output["stderr"]
        return attrs.evolve(
            result,
            stdout=out.text(),
            stderr=err.text(),
            stdout_truncated=out.truncated or result.stdout_truncated,
            stderr_truncated=err.truncated or result.stderr_truncated,
        )

    @property
    def result(self) -> ExecuteResult:
        """The result of the execution; ``RuntimeError`` if the stream has not ended."""
        if self._result is not None:
            return self._result
        if self._closed:
            raise RuntimeError("the stream was closed before its end, so the result is not known")
        raise RuntimeError("the stream has no result yet: iterate to its end first")

    def close(self) -> None:
        """Close the connection. Idempotent."""
        if not self._closed:
            self._closed = True
            self._close()


def decode_stream(
    call: Request, response: Response, chunks: Iterator[bytes]
) -> Iterator[Union[StreamEvent, ExecuteResult, Terminal]]:
    """Yield the events of a stream, and then its result."""
    content_type = response.headers.get("Content-Type", "").lower()
    if "html" in content_type:
        beginning = BufferedResponse(response.status, response.headers, next(chunks, b""))
        raise invalid(beginning, "the body is an HTML page")
    if "json" in content_type:
        # A service that does not stream returns the result as a single response.
        body = read_all(chunks, response.max_bytes)
        result = responses.decode_result(BufferedResponse(response.status, response.headers, body))
        if result.stdout:
            yield StreamEvent("stdout", result.stdout)
        if result.stderr:
            yield StreamEvent("stderr", result.stderr)
        yield result
        return
    for name, data in sse.events(chunks):
        item = decode_event(call, name, data)
        if item is not None:
            yield item


export("buntime", ExecuteStream)
