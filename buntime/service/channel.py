"""The conversation with a session's supervisor: JSON lines over its pipes, shared by many threads."""

from __future__ import annotations

import json
import math
import os
import select
import subprocess
import threading
import time
from collections import deque
from typing import Any, Union
from weakref import WeakValueDictionary

from buntime.service.launch import SupervisorProcess
from buntime.service.strays import end_children

_READ = 1 << 18
_PATIENCE_AT_THE_END = 6.0


class ChannelLost(Exception):  # noqa: N818 - named for what happened
    """The supervisor has ended, or said what it never would."""


class Inbox:
    """What the supervisor said about one request, not yet looked at."""

    __slots__ = ("__weakref__", "messages")

    def __init__(self) -> None:
        self.messages: deque[dict[str, Any]] = deque()


class Channel:
    """A supervisor and its pipes.

    There is no thread of its own: of the threads that wait, one reads for all and hands that over when it
    has what it waited for. What a supervisor says is checked, since untrusted code runs beside it.
    """

    def __init__(self, launched: SupervisorProcess) -> None:
        process = launched.process
        if process.stdin is None or process.stdout is None:
            raise ValueError("a supervisor is spoken to through pipes")
        self._launched = launched
        self._process = process
        self.door = launched.door
        """Where in the workspace the preview's socket is, where the session has a network of its own."""
        self._to, self._from = process.stdin, process.stdout
        self._writing = threading.Lock()
        self._turn = threading.Condition()
        self._someone_reads = False
        self._inboxes: WeakValueDictionary[int, Inbox] = WeakValueDictionary()
        self._last_id = 0
        self._pending = bytearray()
        self._lost: Union[str, None] = None
        self.closing = False
        """Whether :meth:`close` was called, so that losing the supervisor is no surprise."""

    def usable(self) -> bool:
        """Return whether the supervisor still runs."""
        return self._lost is None and self._process.poll() is None

    def request(self, message: dict[str, Any]) -> Inbox:
        """Send a message and return where the answers will be. Raises :class:`ChannelLost`."""
        inbox = Inbox()
        with self._turn:
            self._last_id += 1
            number = self._last_id
            self._inboxes[number] = inbox
        self.send({**message, "id": number})
        return inbox

    def send(self, message: dict[str, Any]) -> None:
        """Send a message. Raises :class:`ChannelLost`."""
        data = memoryview(json.dumps(message).encode() + b"\n")
        with self._writing:
            if self._to.closed:
                raise ChannelLost("it is being closed")
            try:
                while data:
                    data = data[os.write(self._to.fileno(), data) :]
            except OSError as error:
                raise ChannelLost(self._reason("it does not listen any more")) from error

    def receive(self, inbox: Inbox, patience: Union[float, None]) -> dict[str, Any]:
        """Return the next message for an inbox.

        Raises ``TimeoutError`` when ``patience`` seconds have passed, :class:`ChannelLost` when none will
        come any more.
        """
        deadline = None if patience is None else time.monotonic() + patience
        while True:
            with self._turn:
                if not self._turn.wait_for(lambda: self._settled(inbox), _left(deadline)):
                    raise TimeoutError("nothing new yet")
                if inbox.messages:
                    return inbox.messages.popleft()
                if self._lost is not None:
                    raise ChannelLost(self._lost)
                self._someone_reads = True
            lines: list[bytes] = []
            try:
                lines = self._read_lines(_left(deadline))
            finally:
                with self._turn:
                    self._someone_reads = False
                    self._deliver(lines)
                    self._turn.notify_all()

    def _settled(self, inbox: Inbox) -> bool:
        return bool(inbox.messages) or self._lost is not None or not self._someone_reads

    def _read_lines(self, patience: Union[float, None]) -> list[bytes]:
        poll = select.poll()
        poll.register(self._from.fileno(), select.POLLIN)
        if not poll.poll(None if patience is None else math.ceil(patience * 1000)):
            raise TimeoutError("nothing new yet")
        data = os.read(self._from.fileno(), _READ)
        if not data:
            self._lost = self._reason("it has ended")
        *lines, rest = data.split(b"\n")
        if lines:
            lines[0] = bytes(self._pending) + lines[0]
            self._pending = bytearray()
        self._pending += rest
        return lines

    def _deliver(self, lines: list[bytes]) -> None:
        for line in lines:
            try:
                message = json.loads(line)
                inbox = self._inboxes.get(int(message["id"]))
            except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
                self.fail("it sent what is no message")
                return
            if inbox is not None:
                inbox.messages.append(message)

    def fail(self, why: str) -> None:
        """Give up a supervisor that cannot be believed, and everything in its session."""
        self._lost = self._lost or why
        self._kill()

    def _reason(self, what: str) -> str:
        errors = self._launched.errors
        try:
            text = os.pread(errors.fileno(), 4096, max(0, os.fstat(errors.fileno()).st_size - 4096))
        except (OSError, ValueError):
            text = b""
        said = " ".join(text.decode("utf-8", "replace").split())
        return f"{what}: {said[-500:]}" if said else what

    def close(self, *, wanted: bool = True) -> None:
        """End the supervisor and everything in its session.

        Its executions are then reported as killed, or as lost where this is not ``wanted`` but the tidying
        up after a supervisor that ended by itself.
        """
        self.closing = wanted
        self._hang_up()
        try:
            self.receive(Inbox(), _PATIENCE_AT_THE_END)
        except TimeoutError:
            self.fail("it did not end")
        except ChannelLost:
            pass  # its end is what was waited for
        try:
            self._process.wait(_PATIENCE_AT_THE_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        with self._turn:
            self._lost = self._lost or "it was closed"
            self._turn.wait_for(lambda: not self._someone_reads)
            self._from.close()
        self._launched.tidy()

    def _hang_up(self) -> None:
        """The end of its input is what tells a supervisor to end."""
        if not self._writing.acquire(timeout=1.0):
            self._kill()
            self._writing.acquire()
        try:
            self._to.close()
        finally:
            self._writing.release()

    def _kill(self) -> None:
        if self._process.poll() is not None:
            return
        # Bubblewrap ends when its child is gone, and all of the sandbox with it; so it is not killed itself.
        if self._launched.scratch is not None or not end_children(self._process.pid):
            self._process.kill()


def _left(deadline: Union[float, None]) -> Union[float, None]:
    return None if deadline is None else max(0.0, deadline - time.monotonic())
