"""The output of an execution as it arrives, resumed if a stream is cut."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Mapping
from contextlib import suppress
from queue import Empty, Full, Queue
from typing import Any, Optional

import attrs

from buntime import _validate
from buntime._support.closing import ClosesWithBlock
from buntime._support.collected_text import CollectedText
from buntime._support.typing import OnText
from buntime.errors import APIConnectionError, APIStatusError, APITimeoutError, BuntimeError
from buntime.runloop.connection import Connection, prepare, split_options
from buntime.runloop.waiting import Pauses
from buntime.runloop.wire.requests import Params
from buntime.runloop.wire.responses import OutputPosition, ReconnectError, output
from buntime.runloop.wire.routes import BY_NAME
from buntime.runloop.wire.views.devboxes import ExecutionView

_MOST_WAITING = 100
"""Pieces of output that wait for the callbacks."""
Watched = tuple[ExecutionView, dict[str, str]]
"""The last state of an execution, and the texts of its streams."""


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

    def __init__(self, connection: Connection, call: str, path: tuple[object, ...], fields: Params) -> None:
        self._connection, self._call = connection, call
        values = {**dict(zip(BY_NAME[call].arguments, path)), **fields}
        self._fields, self._options = split_options(values)
        self._path = self._fields.pop("execution_id", None), self._fields.pop("devbox_id", None)
        offset = self._fields.pop("offset", None) or 0
        if isinstance(offset, str) and offset.isdecimal():  # of the official client
            offset = int(offset)
        self._position = OutputPosition(_validate.count("offset", offset, minimum=0))
        self._chunks: Iterator[OutputChunk] = self._read()
        self._is_closed = False
        self.final: Optional[ExecutionView] = None

    def __iter__(self) -> Iterator[OutputChunk]:
        return self

    def __next__(self) -> OutputChunk:
        return next(self._chunks)

    def close(self) -> None:
        """Close the connection. Idempotent.

        If another thread waits for output, its iteration ends with its connection, which is not resumed.
        """
        self._is_closed = True
        chunks, self._chunks = self._chunks, iter(())
        if isinstance(chunks, Generator):
            with suppress(ValueError):  # another thread is in the generator
                chunks.close()

    def _read(self) -> Iterator[OutputChunk]:
        with self._connection.options(self._options) as connection:
            pauses = Pauses(connection, "the execution is completed")
            # One count of failures for the stream and the state: each request is one attempt.
            caller = connection.caller
            once = attrs.evolve(connection, caller=caller.without_retries())
            failures = 0
            while not self._is_closed:
                try:
                    for chunk in self._one_stream(once):
                        failures = 0
                        pauses.reset()
                        yield chunk
                    view: ExecutionView = once.poll("devboxes.executions.retrieve", *self._path)
                    self.final = view
                    if view.status == "completed":
                        return
                except ReconnectError:
                    pass  # the service ended the stream early: the next one resumes it
                except (APIConnectionError, APIStatusError) as error:
                    pauses.remaining(error)
                    # A command that prints nothing is not a failure.
                    if not isinstance(error, APITimeoutError) or error.phase != "read":
                        failures += 1
                        error.attempts = failures
                        caller.back_off(error, failures, idempotent=True, remaining=caller.remaining())
                        continue
                pauses.sleep()

    def _one_stream(self, connection: Connection) -> Iterator[OutputChunk]:
        offset = self._position.offset or None
        prepared = prepare(self._call, *self._path, offset=offset, **self._fields)
        response, chunks = connection.stream(prepared)
        with response:
            try:
                for text in output(chunks, self._position):
                    size = len(text.encode("utf-8", "surrogatepass"))
                    yield OutputChunk(text, self._position.offset - size)
            except BuntimeError as error:
                error.call = f"{prepared.request.method} {prepared.request.path}"
                connection.caller.redact(error)
                raise


def open_stream(connection: Connection, view: ExecutionView, kind: str) -> OutputStream:
    """Return the stream of ``stdout`` or ``stderr`` of an execution, from its start."""
    call = f"devboxes.executions.stream_{kind}_updates"
    return OutputStream(connection, call, (view.execution_id, view.devbox_id), {})


def completed_output(connection: Connection, view: ExecutionView, kind: str) -> Iterator[str]:
    """Yield the output of an execution that is completed: of its view, or of the stream if that is cut."""
    if getattr(view, f"{kind}_truncated") is not True:
        yield getattr(view, kind) or ""
        return
    with open_stream(connection, view, kind) as stream:
        for chunk in stream:
            yield chunk.output


def watch(connection: Connection, view: ExecutionView, callbacks: Mapping[str, OnText]) -> Watched:
    """Call the callbacks until the execution is completed; return its state then, and the collected texts.

    The callbacks are for ``stdout``, ``stderr`` and ``output``, which gets both. An exception of one ends the
    wait, not the execution.
    """
    kinds = [kind for kind in ("stdout", "stderr") if callbacks.keys() & {kind, "output"}]
    collected = {kind: CollectedText(connection.caller.max_output) for kind in kinds}
    streams = {kind: open_stream(connection, view, kind) for kind in kinds}

    for kind, text in pieces(connection, streams):
        collected[kind].add(text)
        for name in (kind, "output"):
            if name in callbacks:
                callbacks[name](text)
    return streams[kinds[-1]].final or view, {kind: text.text() for kind, text in collected.items()}


def pieces(connection: Connection, streams: Mapping[str, OutputStream]) -> Iterator[tuple[str, str]]:
    """Yield the output of streams, each with its name, in the order in which it arrives.

    Of several streams, a thread reads each: this one waits for whichever has output, so it can wait for
    neither alone.
    """
    if len(streams) == 1:
        ((kind, stream),) = streams.items()
        with stream:
            for chunk in stream:
                yield kind, chunk.output
        return
    queue: Queue[tuple[str, Any]] = Queue(_MOST_WAITING)
    stopped = threading.Event()
    # Daemons: one that waits for output must not keep a program from its end.
    threads = [
        threading.Thread(target=_read, args=(*item, queue, stopped), name=f"buntime-{item[0]}", daemon=True)
        for item in streams.items()
    ]
    for thread in threads:
        thread.start()
    running = len(threads)
    try:
        while running:
            seconds = connection.caller.remaining()
            kind, item = queue.get(timeout=None if seconds is None else max(0.0, seconds))
            if isinstance(item, BaseException):
                raise item
            if item is None:
                running -= 1
            else:
                yield kind, item
    except Empty:
        raise Pauses(connection, "the execution is completed").timeout() from None
    finally:
        stopped.set()
        for stream in streams.values():
            stream.close()
    for thread in threads:
        thread.join()


def _read(kind: str, stream: OutputStream, queue: Queue[tuple[str, Any]], stopped: threading.Event) -> None:
    """Put each piece into the queue, then the error or ``None``, until ``stopped``."""

    def put(item: Any) -> None:
        while not stopped.is_set():
            with suppress(Full):
                queue.put((kind, item), timeout=0.1)
                return

    try:
        with stream:
            for chunk in stream:
                put(chunk.output)
    except BaseException as error:
        put(error)
    else:
        put(None)
