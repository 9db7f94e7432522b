"""A supervisor of a devbox's commands, and the thread that reads what it sends."""

from __future__ import annotations

from pathlib import Path
from threading import Thread
from typing import Any, Callable

from buntime.service.clock import monotonic
from buntime.service.devboxes.devbox import Devbox
from buntime.service.devboxes.history import Execution
from buntime.service.errors import logger
from buntime.service.executors import KILLED, ExecutionLost, Limits
from buntime.service.machine.channel import Channel, ChannelLost, Inbox, number_of
from buntime.service.machine.launch import Launcher
from buntime.service.machine.sandbox import DEVBOX

_LIFETIME = 172800.0
_FILE_SIZE = 16 * 1024
_LOOK_AFTER = 2.0
_KINDS = {"out": "stdout", "err": "stderr"}


class Supervised:
    """A supervisor and the thread that reads what it sends."""

    def __init__(self, launcher: Launcher, folder: Path, devbox: Devbox, on_end: Callable[[], None]) -> None:
        self._devbox = devbox
        self._on_end = on_end
        limits = Limits(memory=devbox.spec.memory, disk=_FILE_SIZE)
        try:
            supervisor = launcher.start(folder, limits, _LIFETIME, DEVBOX)
        except OSError as error:
            raise ExecutionLost(f"the devbox's supervisor cannot be started: {error}") from error
        self.channel: Channel = Channel(supervisor)
        self._inbox = Inbox(0)
        self._executions: dict[int, Execution] = {}
        self._stopping = False
        self.alive: bool = True
        self.reader: Thread = Thread(target=self._read, name="buntime-devbox", daemon=True)

    def start(self) -> None:
        """Start to read, and let the supervisor begin. Raises :class:`ChannelLost`."""
        self.reader.start()
        self.channel.start()

    def run(self, execution: Execution, message: dict[str, Any]) -> None:
        """Start an execution. The devbox's lock is held, so the reader waits until it is known."""
        inbox = execution.prepared = self.channel.request(message, shared=self._inbox)
        self._executions[inbox.id] = execution

    def stop(self) -> None:
        """End everything, without waiting for it."""
        self._stopping = True
        self.channel.stop()

    def _read(self) -> None:
        try:
            while True:
                try:
                    message = self.channel.receive(self._inbox, _LOOK_AFTER)
                except TimeoutError:
                    if self._stopping:
                        break
                    continue
                with self._devbox.lock:
                    self._deliver(message)
        except ChannelLost as error:
            if not self._stopping:
                self._devbox.note(f"All processes have ended: {error}")
        except Exception:
            logger.exception("The output of devbox %s cannot be read any more", self._devbox.id)
            self.channel.fail("it is not read any more")
        self.channel.close()
        with self._devbox.lock:
            self.alive = False
            for execution in list(self._executions.values()):
                self._devbox.finished(execution, KILLED, monotonic())
        self._on_end()

    def _deliver(self, message: dict[str, Any]) -> None:
        number = message.get("id")
        execution = self._executions.get(number) if isinstance(number, int) else None
        if execution is None:
            return
        for key, kind in _KINDS.items():
            if isinstance(text := message.get(key), str):
                self._devbox.wrote(execution, kind, text)
        if "exit" in message:
            del self._executions[execution.prepared.id]
            if message.get("over") == "memory":
                self._devbox.note(f"{execution.id} used more than {self._devbox.spec.memory} MB of memory")
            code = number_of(message["exit"])
            self._devbox.finished(execution, KILLED if code is None else int(code), monotonic())
