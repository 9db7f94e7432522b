"""Devboxes on this machine: bash in a sandbox, with a disk."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import Any, Optional

from buntime.service.clock import ServiceClock, SystemClock, monotonic
from buntime.service.devboxes.box import Box, Host, Saving
from buntime.service.devboxes.devbox import Devbox
from buntime.service.devboxes.history import Execution
from buntime.service.devboxes.storage import FileStore, Store
from buntime.service.devboxes.supervised import Supervised
from buntime.service.errors import logger
from buntime.service.executors import ExecutionLost
from buntime.service.machine.channel import ChannelLost, Inbox
from buntime.service.machine.launch import Isolated, Launcher
from buntime.service.machine.orphans import kill_sandbox
from buntime.service.machine.sandbox import DEVBOX, start_process
from buntime.service.workspace.disk import DiskWorkspace
from buntime.service.workspace.root import WorkspaceFolder
from buntime.service.workspace.walk import remove_tree

_UNLIMITED = 2**31 - 1
_NO_PACING = 2**52
_POLL_AFTER = 0.02
# A shell with a name is a new bash for each command. It begins with the folder and the exported variables of
# the end of the last one.
_IN_SHELL = """cd "$(cat {state}.folder 2>/dev/null)" 2>/dev/null || cd
[ -f {state}.exports ] && . {state}.exports
trap 'declare -px >{state}.exports; pwd >{state}.folder' EXIT
{command}
"""


class DiskCopy(Saving):
    """A disk that is being copied, by ``cp`` in a sandbox: programs may change the links in it meanwhile."""

    def __init__(self, launcher: Launcher, source: Path, target: Path) -> None:
        if isinstance(launcher, Isolated):
            mounts = {"/from": source, "/to": target}
            command = ["/bin/cp", "-a", "/from/.", "/to"]
            started = launcher.sandbox.start(command, mounts=mounts, temporary={}, files={})
        else:
            started = start_process(["/bin/cp", "-a", f"{source}/.", str(target)], cwd="/")
        self._process, self._errors = started
        super().__init__(monotonic() + _POLL_AFTER)

    def wait(self) -> None:
        """Wait for the end; ``ExecutionLost`` if it failed."""
        self._process.wait()
        if error := self.poll():
            raise ExecutionLost(f"the disk could not be copied: {error}")

    def poll(self) -> Optional[str]:
        """Return ``None`` while it is in progress, ``""`` when it is complete, or the error."""
        self.due: float = monotonic() + _POLL_AFTER
        if self._process.poll() is None:
            return None
        with self._process, self._errors:
            self._errors.seek(0)
            lines = self._errors.read(100_000).decode("utf-8", "replace").splitlines()
        # Files that vanish meanwhile are not missed.
        problems = [line for line in lines if not line.endswith("No such file or directory")]
        if not self._process.returncode or (lines and not problems):
            return ""
        return "; ".join(problems)[:500] or f"cp ended with {self._process.returncode}"

    def cancel(self) -> None:
        """Give it up."""
        kill_sandbox(self._process)
        self._process.wait()
        self.poll()


class MachineHost(Host):
    """Makes devboxes in ``folder``, which is removed when it is closed."""

    def __init__(self, launcher: Launcher, folder: WorkspaceFolder) -> None:
        self.clock: ServiceClock = SystemClock()
        self.launcher = launcher
        self.network: bool = not isinstance(launcher, Isolated) or launcher.sandbox.network
        self.store: Store = FileStore(folder.root)
        self._folder = folder
        self.snapshots: set[str] = set()
        self._boxes: list[MachineBox] = []
        self._lock = threading.Lock()

    def open(self, devbox: Devbox, snapshot_id: Optional[str]) -> MachineBox:
        """Return a box; with a snapshot, when its disk is copied."""
        folder = self.make_disk(devbox.id)
        if snapshot_id is not None:
            try:
                DiskCopy(self.launcher, self._snapshot(snapshot_id), folder).wait()
            except ExecutionLost:
                remove_tree(str(folder))
                raise
        box = MachineBox(self, devbox, folder)
        with self._lock:
            self._boxes = [each for each in self._boxes if not each.is_gone] + [box]
        return box

    def snapshot_size(self, snapshot_id: str) -> int:
        """Return the total size of the files of a snapshot in bytes."""
        return sum(DiskWorkspace(folder).used() for folder in self._snapshot(snapshot_id).iterdir())

    def drop_snapshot(self, snapshot_id: str) -> None:
        """Remove the disk of a snapshot."""
        self.snapshots.discard(snapshot_id)
        remove_tree(str(self._snapshot(snapshot_id)))

    def close(self) -> None:
        """End all processes, wait for them, and remove the disks. Idempotent."""
        with self._lock:
            boxes = list(self._boxes)
        for box in boxes:
            box.remove()
        for box in boxes:
            box.join()
        for snapshot_id in list(self.snapshots):
            self.drop_snapshot(snapshot_id)
        self._folder.remove()

    def make_disk(self, name: str) -> Path:
        """Return the folder of a new disk."""
        folder = self._folder.root / name
        for part in DEVBOX.mounts.values():
            (folder / part).mkdir(mode=0o700, parents=True)
        return folder

    def _snapshot(self, snapshot_id: str) -> Path:
        return self._folder.root / snapshot_id


class MachineBox(Box):
    """The disk of a devbox, and the supervisor of its commands, which the first one starts.

    While there is a supervisor, one thread reads what it sends. So output never waits for a client, and the
    next command of a shell starts when the last one ends.
    """

    def __init__(self, host: MachineHost, devbox: Devbox, folder: Path) -> None:
        self.host = host
        self._devbox = devbox
        self.folder = folder
        self._workspaces = {path: DiskWorkspace(folder / part) for path, part in DEVBOX.mounts.items()}
        self._supervised: Optional[Supervised] = None
        self._supervisors: list[Supervised] = []
        self._removed = False

    @property
    def is_gone(self) -> bool:
        """Whether its disk is removed, and no thread reads any more."""
        return self._removed and not any(each.reader.is_alive() for each in self._supervisors)

    def workspace(self, folder: str) -> DiskWorkspace:
        """Return the files of a folder."""
        return self._workspaces[folder]

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
            "env": {**self._devbox.spec.environment, **execution.environment},
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
                    started = Supervised(self.host.launcher, self.folder, self._devbox, self._remove_if_ended)
                    alive = [each for each in self._supervisors if each.reader.is_alive()]
                    self._supervised, self._supervisors = started, [*alive, started]
                    started.start()
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

    def signal(self, execution: Execution, name: str, *, group: bool = True) -> None:
        """Send a signal to it; its end is reported like any other."""
        self._send(execution, op="signal", signal=name, group=group)

    def feed(self, execution: Execution, text: Optional[str]) -> None:
        """Write to its standard input."""
        self._send(execution, op="feed", text=text)

    def _send(self, execution: Execution, **message: Any) -> None:
        if self._supervised is not None and isinstance(execution.prepared, Inbox):
            try:
                self._supervised.channel.send({**message, "id": execution.prepared.id})
            except ChannelLost:
                return  # the reader notices too, and reports the end

    def save(self, snapshot_id: str) -> DiskCopy:
        """Start to copy the disk."""
        target = self.host.make_disk(snapshot_id)
        self.host.snapshots.add(snapshot_id)
        return DiskCopy(self.host.launcher, self.folder, target)

    def end_processes(self) -> None:
        """Begin to end the supervisor and its processes."""
        if self._supervised is not None:
            self._supervised.stop()
            self._supervised = None

    def remove(self) -> None:
        """End the processes and remove the disk: here, or in the thread that sees the last one end."""
        with self._devbox.lock:
            self.end_processes()
            self._removed = True
        self._remove_if_ended()

    def join(self) -> None:
        """Wait for the threads of a box that is removed."""
        for supervised in self._supervisors:
            supervised.reader.join()

    def _remove_if_ended(self) -> None:
        """Remove the disk if that is due and no process can write to it any more."""
        with self._devbox.lock:
            if not self._removed or any(each.alive for each in self._supervisors):
                return
        try:
            remove_tree(str(self.folder))
        except OSError:
            logger.exception("The disk of devbox %s could not be removed", self._devbox.id)
