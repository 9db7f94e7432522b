"""The conversation with a session's supervisor: JSON lines over its pipes, shared by many threads."""

from __future__ import annotations

import json
import math
import os
import select
import subprocess
import threading
from collections import deque
from typing import Any, Union
from weakref import WeakValueDictionary

import attrs

from buntime._support.owner import Owner
from buntime.service.clock import monotonic
from buntime.service.machine.launch import SupervisorProcess
from buntime.service.machine.orphans import kill_sandbox

_READ = 1 << 20
_ACKNOWLEDGED_AT = 1 << 17
_CLOSE_TIMEOUT = 6.0
_LARGEST_NUMBER = 2**53


class ChannelLost(Exception):  # noqa: N818 - named for the event
    """The supervisor has ended, or sent something that is not a message."""


def number_of(value: object) -> Union[int, float, None]:
    """Return a number in a message; ``None`` for anything else, such as ``true``, ``NaN`` and infinity.

    Untrusted code runs beside the supervisor, so a number may also be larger than any that it sends.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if abs(value) <= _LARGEST_NUMBER else None


@attrs.define(eq=False)
class Inbox:
    """The messages about one request that were received and not yet returned by :meth:`Channel.receive`."""

    id: int
    messages: deque[dict[str, Any]] = attrs.field(factory=deque)
    unacknowledged: int = 0


class Channel:
    """A supervisor and its pipes.

    It has no thread: of the threads that wait, one reads for all, delivers, and lets another read when it has
    its own message. The supervisor sends an execution's output only as far as it was acknowledged, so an
    inbox that is not read stays small, whichever thread reads the pipe. Every message is checked, since
    untrusted code runs beside the supervisor.
    """

    def __init__(self, supervisor: SupervisorProcess) -> None:
        process = supervisor.process
        if process.stdin is None or process.stdout is None:
            raise ValueError("a supervisor needs pipes for its stdin and stdout")
        self._supervisor, self._process = supervisor, process
        self.preview_socket: Union[str, None] = supervisor.start_message.preview_socket
        """The path of the preview's socket in the workspace; ``None`` on the host's network."""
        self._to, self._from = process.stdin, process.stdout
        self._owner = Owner()
        # No thread holds both locks. Only the holder of _writing writes to the supervisor's stdin, and takes
        # ids from _dropped, to which any thread may append.
        self._writing = threading.Lock()
        self._dropped: deque[int] = deque()
        # The holder of _turn may write the next three fields and the inboxes. It does not read the pipe, nor
        # write to it: _turn is never held for long.
        self._turn = threading.Condition()
        self._someone_reads, self._last_id = False, 0
        self._inboxes: WeakValueDictionary[int, Inbox] = WeakValueDictionary()
        # Only the thread that set _someone_reads writes _pending, the beginning of an incomplete line.
        self._pending = bytearray()
        # Written by that thread without a lock, and by the holder of _turn; never None again.
        self._lost: Union[str, None] = None
        self.closing: bool = False
        """Whether :meth:`close` was called, so that losing the supervisor is expected."""

    def start(self) -> None:
        """Send the supervisor its first message. Raises :class:`ChannelLost`."""
        try:
            self.send(self._supervisor.start_message.to_json())
        except BaseException:  # a Ctrl-C, say: without this message, the supervisor has no configuration
            self.fail("it did not receive its first message")
            raise

    def usable(self) -> bool:
        """Return whether the supervisor still runs."""
        return self._lost is None and self._process.poll() is None

    def request(self, message: dict[str, Any], *, shared: Union[Inbox, None] = None) -> Inbox:
        """Send a message and return the inbox for the replies. Raises :class:`ChannelLost`.

        With a ``shared`` inbox the messages go there, as long as the returned one exists.
        """
        with self._turn:
            # Registered before it is sent: the reply may be here before send() returns.
            self._last_id += 1
            inbox = self._inboxes[self._last_id] = Inbox(self._last_id)
            if shared is not None:
                inbox.messages = shared.messages
        self.send({**message, "id": inbox.id})
        return inbox

    def send(self, message: dict[str, Any]) -> None:
        """Send a message. Raises :class:`ChannelLost`."""
        with self._writing:
            self._write(message)
        self._send_drops()

    def _write(self, message: dict[str, Any]) -> None:
        data = memoryview(json.dumps(message).encode() + b"\n")
        if self._to.closed or self._lost is not None:
            raise ChannelLost(self._lost or "it is being closed")
        try:
            while data:
                data = data[os.write(self._to.fileno(), data) :]
        except OSError as error:
            raise ChannelLost(self._reason("it does not read any more")) from error

    def drop(self, inbox: Inbox) -> None:
        """Let an execution go on although its output is not read any more.

        Finalizers call this, in any thread and also while that thread holds the lock: so it never waits for
        the lock. The thread that holds it sends the message after releasing it.
        """
        self._dropped.append(inbox.id)
        self._send_drops()

    def _send_drops(self) -> None:
        while self._dropped and self._owner.is_this_process() and self._writing.acquire(blocking=False):
            try:
                while self._dropped:
                    self._write({"op": "drop", "id": self._dropped.popleft()})
            except ChannelLost:
                self._dropped.clear()
            finally:
                self._writing.release()

    def receive(self, inbox: Inbox, timeout: Union[float, None]) -> dict[str, Any]:
        """Return the next message for an inbox.

        Raises ``TimeoutError`` after ``timeout`` seconds, and :class:`ChannelLost` if none can come any more.
        """
        deadline = None if timeout is None else monotonic() + timeout
        while True:
            # The pipe has one reader at a time, or none. A thread waits here until its message has come, the
            # supervisor is lost, or it is its turn to read; it reads without the lock, so others can send.
            with self._turn:
                if not self._turn.wait_for(lambda: self._settled(inbox), _remaining(deadline)):
                    raise TimeoutError("no message yet")
                if inbox.messages:
                    message = inbox.messages.popleft()
                    break
                if self._lost is not None:
                    raise ChannelLost(self._lost)
                self._someone_reads = True
            lines: list[bytes] = []
            try:
                lines = self._read_lines(_remaining(deadline))
            finally:
                # After a timeout or a Ctrl-C too: a turn that is not given back would stop every thread for
                # ever.
                with self._turn:
                    self._someone_reads = False
                    self._deliver(lines)
                    self._turn.notify_all()
        self._acknowledge(inbox, message)
        return message

    def _settled(self, inbox: Inbox) -> bool:
        return bool(inbox.messages) or self._lost is not None or not self._someone_reads

    def _acknowledge(self, inbox: Inbox, message: dict[str, Any]) -> None:
        inbox.unacknowledged += int(number_of(message.get("size")) or 0)
        # In steps well below the supervisor's window, so that a reader that keeps up never stops the program.
        if inbox.unacknowledged >= _ACKNOWLEDGED_AT:
            size, inbox.unacknowledged = inbox.unacknowledged, 0
            try:
                self.send({"op": "ack", "id": inbox.id, "size": size})
            except ChannelLost:
                return  # the next receive() raises it, after what has arrived

    def _read_lines(self, timeout: Union[float, None]) -> list[bytes]:
        poll = select.poll()
        poll.register(self._from.fileno(), select.POLLIN)
        if not poll.poll(None if timeout is None else math.ceil(timeout * 1000)):
            raise TimeoutError("no message yet")
        # One read, not as many as it takes for a line: what has come may be a message of another thread.
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
                self.fail("it sent a line that is not a message")
                return
            # Of an inbox that is gone, the messages are dropped: its reader has ended.
            if inbox is not None:
                inbox.messages.append(message)

    def fail(self, why: str) -> None:
        """Give up a supervisor that cannot be trusted any more, and everything in its session."""
        self._lost = self._lost or why
        self._kill()

    def _reason(self, what: str) -> str:
        errors = self._supervisor.errors
        try:
            text = os.pread(errors.fileno(), 4096, max(0, os.fstat(errors.fileno()).st_size - 4096))
        except (OSError, ValueError):
            text = b""  # the file is closed: there is nothing to add
        stderr = " ".join(text.decode("utf-8", "replace").split())
        return f"{what}: {stderr[-500:]}" if stderr else what

    def close(self, *, expected: bool = True) -> None:
        """End the supervisor and everything in its session.

        Executions then end as killed, or as lost if this is not ``expected`` but cleans up after a supervisor
        that ended by itself. Three steps, each with its own timeout: the supervisor's stdin is closed, which
        makes it end its processes and itself; the end of its stdout is waited for; then it is killed.
        """
        self.closing = expected
        self._close_stdin()
        try:
            # No request has the id 0: this reads to the end, and delivers to the threads that wait meanwhile.
            self.receive(Inbox(0), _CLOSE_TIMEOUT)
        except TimeoutError:
            self.fail("it did not end")
        except ChannelLost:
            pass  # the end of its stdout
        try:
            self._process.wait(_CLOSE_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        with self._turn:
            self._lost = self._lost or "it was closed"
            self._turn.wait_for(lambda: not self._someone_reads)
            self._from.close()
        self._supervisor.cleanup()

    def stop(self) -> None:
        """Begin what :meth:`close` does, without waiting for the end."""
        self.closing = True
        self._close_stdin()

    def _close_stdin(self) -> None:
        # A thread may be stuck in a write to a supervisor that does not read: only a kill releases the lock.
        if not self._writing.acquire(timeout=1.0):
            self._kill()
            self._writing.acquire()
        try:
            self._to.close()
        finally:
            self._writing.release()

    def _kill(self) -> None:
        if self._supervisor.start_message.scratch:
            self._process.kill()
        else:
            kill_sandbox(self._process)


def _remaining(deadline: Union[float, None]) -> Union[float, None]:
    return None if deadline is None else max(0.0, deadline - monotonic())
