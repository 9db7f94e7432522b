"""Devboxes on this machine: bash in a sandbox, with a disk."""

from __future__ import annotations

import hashlib
import logging
import threading
from pathlib import Path
from typing import Any, Callable, Optional

from buntime.service.devboxes.box import HOME, TEMPORARY, Execution, Listener
from buntime.service.devboxes.copying import DiskCopy
from buntime.service.devboxes.storage import FileStore
from buntime.service.devboxes.supervised import Supervised
from buntime.service.devboxes.waiting import RealClock, WaitingClock
from buntime.service.executors import ExecutionLost
from buntime.service.machine.channel import ChannelLost, Inbox
from buntime.service.machine.launch import Isolated, Launcher
from buntime.service.machine.sandbox import DEVBOX
from buntime.service.workspace.disk import DiskWorkspace
from buntime.service.workspace.root import WorkspaceFolder
from buntime.service.workspace.walk import remove_tree

_UNLIMITED = 2**31 - 1
_NO_PACING = 2**52
logger: logging.Logger = logging.getLogger("buntime.service")


# A shell with a name is a new bash for each command. It begins with the folder and the exported variables of
# the end of the last one.
_IN_SHELL = """cd "$(cat {state}.folder 2>/dev/null)" 2>/dev/null || cd
[ -f {state}.exports ] && . {state}.exports
trap 'declare -px >{state}.exports; pwd >{state}.folder' EXIT
{command}
"""


class MachineHost:
    """Makes devboxes in ``folder``, which is removed when it is closed."""

    def __init__(self, launcher: Launcher, folder: WorkspaceFolder) -> None:
        self.clock: WaitingClock = RealClock()
        self.boot_time: float = 0.0
        self.build_time: float = 0.0
        self.launcher = launcher
        self.network: bool = not isinstance(launcher, Isolated) or launcher.sandbox.network
        self.store: FileStore = FileStore(folder.root)
        self._folder = folder
        self._snapshots: set[str] = set()
        self._boxes: set[MachineBox] = set()
        self._readers: list[threading.Thread] = []
        self._lock = threading.Lock()

    def open(self, devbox: Listener, snapshot_id: Optional[str]) -> MachineBox:
        """Return a box; with a snapshot, when its disk is copied."""
        folder = self._make_disk(devbox.id)
        if snapshot_id is not None:
            try:
                DiskCopy(self.launcher, self._snapshot(snapshot_id), folder).wait()
            except ExecutionLost:
                remove_tree(str(folder))
                raise
        box = MachineBox(self, devbox, folder)
        with self._lock:
            self._boxes.add(box)
        return box

    def forget(self, box: MachineBox) -> None:
        """Note that a box is gone."""
        with self._lock:
            self._boxes.discard(box)

    def start_reader(self, read: Callable[[], None]) -> None:
        """Start the thread of a supervisor."""
        reader = threading.Thread(target=read, name="buntime-devbox", daemon=True)
        with self._lock:
            self._readers = [each for each in self._readers if each.is_alive()]
            self._readers.append(reader)
            reader.start()

    def save(self, box_folder: Path, snapshot_id: str) -> DiskCopy:
        """Start to copy a disk."""
        target = self._make_disk(snapshot_id)
        self._snapshots.add(snapshot_id)
        return DiskCopy(self.launcher, box_folder, target)

    def snapshot_size(self, snapshot_id: str) -> int:
        """Return how many bytes the files of a snapshot have together."""
        return sum(DiskWorkspace(folder).used() for folder in self._snapshot(snapshot_id).iterdir())

    def drop_snapshot(self, snapshot_id: str) -> None:
        """Remove the disk of a snapshot."""
        self._snapshots.discard(snapshot_id)
        remove_tree(str(self._snapshot(snapshot_id)))

    def close(self) -> None:
        """End all processes, wait for them, and remove the disks. Idempotent."""
        with self._lock:
            boxes, readers = list(self._boxes), list(self._readers)
        for box in boxes:
            box.remove()
        for reader in readers:
            reader.join()
        for snapshot_id in list(self._snapshots):
            self.drop_snapshot(snapshot_id)
        self._folder.remove()

    def _make_disk(self, name: str) -> Path:
        folder = self._folder.root / name
        for part in DEVBOX.mounts.values():
            (folder / part).mkdir(mode=0o700, parents=True)
        return folder

    def _snapshot(self, snapshot_id: str) -> Path:
        return self._folder.root / snapshot_id


class MachineBox:
    """The disk of a devbox, and the supervisor of its commands, which the first one starts.

    While there is a supervisor, one thread reads what it sends. So output never waits for a client, and the
    next command of a shell starts when the last one ends.
    """

    def __init__(self, host: MachineHost, devbox: Listener, folder: Path) -> None:
        self.host = host
        self._devbox = devbox
        self.folder = folder
        self._workspaces = {
            path: DiskWorkspace(folder / part)
            for path, part in zip((HOME, TEMPORARY), DEVBOX.mounts.values())
        }
        self._supervised: Optional[Supervised] = None
        self._ending: list[Supervised] = []
        self.removed: bool = False

    def workspace(self, folder: str) -> DiskWorkspace:
        """Return the files of a folder."""
        return self._workspaces[folder]

    def prepare(self, execution: Execution) -> None:
        """Do nothing."""

    def start(self, execution: Execution) -> None:
        """Start a command; ``ExecutionLost`` if its sandbox cannot be started."""
        command = execution.command
        if execution.shell_name is not None:
            command = _IN_SHELL.format(state=self._shell_state(execution.shell_name), command=command)
        message = {
            "op": "run",
            "code": None,
            "command": command,
            "shell": "/bin/bash",
            "env": {**self._devbox.environment, **execution.environment},
            "timeout": _UNLIMITED,
            "cwd": execution.working_directory,
            "stdin": execution.attach_stdin,
            "stream": True,
            "credit": _NO_PACING,
            "max_output": 0,
        }
        for last in (False, True):
            try:
                if self._supervised is None:
                    self._supervised = Supervised(
                        self.host.launcher,
                        self.folder,
                        self._devbox,
                        start_reader=self.host.start_reader,
                        on_end=self.remove_if_ended,
                    )
                self._supervised.run(execution, message)
                return
            except ChannelLost as error:
                self.end_processes()
                if last:
                    raise ExecutionLost(f"the devbox's supervisor was lost: {error}") from error

    def _shell_state(self, name: str) -> str:
        digest = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:16]
        # In memory, so that it ends with the processes, as the shell would.
        folder = "/dev/shm" if isinstance(self.host.launcher, Isolated) else '"$TMPDIR"'  # noqa: S108 - inside
        return f"{folder}/.shell-{digest}"

    def kill(self, execution: Execution, *, group: bool) -> None:
        """Kill it; its end is reported like any other."""
        self._send(execution, op="signal", signal="SIGKILL", group=group)

    def interrupt(self, execution: Execution) -> None:
        """Send SIGINT to all its processes."""
        self._send(execution, op="signal", signal="SIGINT", group=True)

    def feed(self, execution: Execution, text: Optional[str]) -> None:
        """Write to its standard input."""
        self._send(execution, op="feed", text=text)

    def _send(self, execution: Execution, **message: Any) -> None:
        if self._supervised is not None and isinstance(execution.prepared, Inbox):
            try:
                self._supervised.channel.send({**message, "id": execution.prepared.id})
            except ChannelLost:
                return  # the reader notices too, and reports the end

    def next_change(self) -> Optional[float]:
        """Return ``None``: ends are reported when they happen."""
        return None

    def settle(self, at: float) -> None:
        """Do nothing."""

    def save(self, snapshot_id: str) -> DiskCopy:
        """Start to copy the disk."""
        return self.host.save(self.folder, snapshot_id)

    def end_processes(self) -> None:
        """Begin to end the supervisor and its processes."""
        supervised, self._supervised = self._supervised, None
        if supervised is not None:
            self._ending.append(supervised)
            supervised.stop()

    def remove(self) -> None:
        """End the processes and remove the disk: here, or in the thread that sees the last one end."""
        with self._devbox.lock:
            self.end_processes()
            self.removed = True
        self.remove_if_ended()

    def remove_if_ended(self) -> None:
        """Remove the disk if that is due and no process can write to it any more."""
        with self._devbox.lock:
            self._ending = [each for each in self._ending if each.alive]
            if not self.removed or self._ending:
                return
        try:
            remove_tree(str(self.folder))
        except OSError:
            logger.exception("The disk of devbox %s could not be removed", self._devbox.id)
        self.host.forget(self)
