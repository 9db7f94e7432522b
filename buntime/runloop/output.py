"""The output of an execution as it arrives, resumed if a stream is cut."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from queue import Empty, Full, Queue
from typing import Any, Callable, Optional

import attrs

from buntime import _validate
from buntime._support.closing import ClosesWithBlock
from buntime._support.collected_text import CollectedText
from buntime._support.export import export
from buntime._support.typing import OnText
from buntime.errors import APIConnectionError, APIStatusError, APITimeoutError, BuntimeError
from buntime.runloop.connection import Connection, split_options
from buntime.runloop.errors import COMMAND_RUNS_ON, wait_timeout
from buntime.runloop.waiting import Pauses
from buntime.runloop.wire.events import OutputPosition, ReconnectError, output
from buntime.runloop.wire.routes import BY_NAME
from buntime.runloop.wire.views.devboxes import ExecutionView

_KINDS = ("stdout", "stderr")
_MOST_WAITING = 100
"""Pieces of output that wait for the callbacks."""


@attrs.frozen
class OutputChunk:
    """A piece of output, and the offset of its first byte."""

    output: str
    offset: int


class OutputStream(ClosesWithBlock):
    """Iterates over the output of one stream of an execution, until the execution is completed.

    A stream that is cut, or silent for longer than the client's timeout, is resumed after the last byte that
    arrived: nothing is repeated or left out. ``final`` is the state of the execution at the end.
    """

    def __init__(
        self, connection: Connection, call: str, path: tuple[object, ...], fields: dict[str, Any]
    ) -> None:
        self._connection, self._call = connection, call
        values = dict(zip(BY_NAME[call].arguments, path))
        fields, self._options = split_options(fields)
        self._path = (
            fields.pop("execution_id", values.get("execution_id")),
            fields.pop("devbox_id", values.get("devbox_id")),
        )
        offset = fields.pop("offset", None) or 0
        is_text = isinstance(offset, str) and offset.isdecimal()  # of the official client
        self._position = OutputPosition(
            _validate.count("offset", int(offset) if is_text else offset, minimum=0)
        )
        self._fields = fields
        self._texts: Optional[Iterator[OutputChunk]] = None
        self._is_closed = False
        self.final: Optional[ExecutionView] = None

    def __iter__(self) -> Iterator[OutputChunk]:
        return self

    def __next__(self) -> OutputChunk:
        if self._texts is None:
            self._texts = self._chunks()
        return next(self._texts)

    def close(self) -> None:
        """Close the connection. Idempotent.

        If another thread waits for output, its iteration ends with its connection, which is not resumed.
        """
        self._is_closed = True
        texts, self._texts = self._texts, iter(())
        close = getattr(texts, "close", None)
        if close is not None:
            with suppress(ValueError):  # another thread is in the generator
                close()

    def _chunks(self) -> Iterator[OutputChunk]:
        with self._connection.options(self._options) as connection:
            pauses = Pauses(connection, "the execution is completed")
            # One count of failures for the stream and the state: each request is one attempt.
            caller, once = connection.caller, connection.without_retries()
            failures = 0
            while not self._is_closed:
                try:
                    for chunk in self._one_stream(once):
                        failures = 0
                        pauses.reset()
                        yield chunk
                    path = self._path
                    view: ExecutionView = once.poll("devboxes.executions.retrieve", *path)
                    self.final = view
                    if view.status == "completed":
                        return
                except ReconnectError:
                    pass  # the service ended the stream early: the next one resumes it
                except (APIConnectionError, APIStatusError) as error:
                    pauses.check_time(error)
                    # A command that prints nothing is not a failure.
                    if not isinstance(error, APITimeoutError) or error.phase != "read":
                        failures += 1
                        error.attempts = failures
                        caller.back_off(error, failures, idempotent=True, remaining=caller.remaining())
                        continue
                pauses.sleep()

    def _one_stream(self, connection: Connection) -> Iterator[OutputChunk]:
        offset = self._position.offset or None
        request, response, chunks = connection.stream(self._call, *self._path, offset=offset, **self._fields)
        with response:
            try:
                for text in output(chunks, self._position):
                    size = len(text.encode("utf-8", "surrogatepass"))
                    yield OutputChunk(text, self._position.offset - size)
            except BuntimeError as error:
                error.call = f"{request.method} {request.path}"
                connection.caller.redact(error)
                raise


def open_stream(connection: Connection, kind: str, view: ExecutionView) -> OutputStream:
    """Return the stream of ``stdout`` or ``stderr`` of an execution, from its start."""
    call = f"devboxes.executions.stream_{kind}_updates"
    return OutputStream(connection, call, (view.execution_id, view.devbox_id), {})


@attrs.define
class Watch:
    """Passes the output of an execution to callbacks, and collects it within ``max_output``."""

    connection: Connection
    view: ExecutionView
    callbacks: dict[str, OnText]
    """For ``stdout``, ``stderr`` and ``output``, which gets both."""
    collected: dict[str, CollectedText] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        for name, callback in self.callbacks.items():
            if not callable(callback):
                raise TypeError(f"{name} must be callable with a str, not {type(callback).__name__}")

    def run(self) -> Optional[ExecutionView]:
        """Call the callbacks on this thread until the execution is completed; return its state then.

        Two streams are read by a thread each. An exception of a callback ends the wait, not the execution.
        """
        kinds = [kind for kind in _KINDS if self.callbacks.keys() & {kind, "output"}]
        maximum = self.connection.caller.max_output
        self.collected = {kind: CollectedText(maximum) for kind in kinds}
        streams = {kind: open_stream(self.connection, kind, self.view) for kind in kinds}
        if len(kinds) == 1:
            with streams[kinds[0]] as stream:
                for chunk in stream:
                    self._pass_on(kinds[0], chunk.output)
        else:
            for kind, text in Pieces(streams).iterate(self.connection.caller.remaining):
                self._pass_on(kind, text)
        return streams[kinds[-1]].final

    def _pass_on(self, kind: str, text: str) -> None:
        self.collected[kind].add(text)
        for name in (kind, "output"):
            if name in self.callbacks:
                self.callbacks[name](text)


class Pieces:
    """Pieces of several streams, in the order in which they arrive.

    A thread reads each stream: this one waits for whichever has output, so it can wait for neither alone.
    """

    def __init__(self, streams: dict[str, OutputStream]) -> None:
        self._queue: Queue[tuple[str, Any]] = Queue(_MOST_WAITING)
        self._stopped = threading.Event()
        self._streams = streams
        # Daemons: one that waits for output must not keep a program from its end.
        self._threads = [
            threading.Thread(target=self._read, args=item, name=f"buntime-{item[0]}", daemon=True)
            for item in streams.items()
        ]

    def _put(self, kind: str, item: Any) -> None:
        while not self._stopped.is_set():
            with suppress(Full):
                self._queue.put((kind, item), timeout=0.1)
                return

    def _read(self, kind: str, stream: OutputStream) -> None:
        """Put each piece into the queue, then the error or ``None``."""
        end: Optional[BaseException] = None
        try:
            with stream:
                for chunk in stream:
                    self._put(kind, chunk.output)
                    if self._stopped.is_set():
                        return
        except BaseException as error:
            end = error
        self._put(kind, end)

    def iterate(self, remaining: Callable[[], Optional[float]]) -> Iterator[tuple[str, str]]:
        """Yield the pieces on this thread, until all streams are at their end."""
        for thread in self._threads:
            thread.start()
        running = len(self._threads)
        try:
            while running:
                seconds = remaining()
                kind, item = self._queue.get(timeout=None if seconds is None else max(0.0, seconds))
                if isinstance(item, BaseException):
                    raise item
                if item is None:
                    running -= 1
                else:
                    yield kind, item
        except Empty:
            raise wait_timeout(
                "the time for waiting is over before the execution is completed", COMMAND_RUNS_ON
            ) from None
        finally:
            self._stopped.set()
            for stream in self._streams.values():
                stream.close()
        for thread in self._threads:
            thread.join()


export("buntime.runloop", OutputChunk, OutputStream)
