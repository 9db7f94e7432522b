"""Copying the disk of a devbox."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from buntime.service.clock import monotonic
from buntime.service.executors import ExecutionLost
from buntime.service.machine.launch import Isolated, Launcher
from buntime.service.machine.orphans import kill_children
from buntime.service.machine.sandbox import start_process

_POLL_AFTER = 0.02


class DiskCopy:
    """A disk that is being copied, by ``cp`` in a sandbox: programs may change the links in it meanwhile."""

    def __init__(self, launcher: Launcher, source: Path, target: Path) -> None:
        if isinstance(launcher, Isolated):
            mounts = {"/from": source, "/to": target}
            command = ["/bin/cp", "-a", "/from/.", "/to"]
            started = launcher.sandbox.start(command, mounts=mounts, temporary={}, files={})
        else:
            started = start_process(["/bin/cp", "-a", f"{source}/.", str(target)], cwd="/")
        self._process, self._errors = started
        self._polled = monotonic()

    def wait(self) -> None:
        """Wait for the end; ``ExecutionLost`` if it failed."""
        self._process.wait()
        if error := self.poll():
            raise ExecutionLost(f"the disk could not be copied: {error}")

    def poll(self) -> Optional[str]:
        """Return ``None`` while it is in progress, ``""`` when it is complete, or the error."""
        self._polled = monotonic()
        if self._process.poll() is None:
            return None
        with self._errors:
            self._errors.seek(0)
            lines = self._errors.read(100_000).decode("utf-8", "replace").splitlines()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        # Files that vanish meanwhile are not missed.
        problems = [line for line in lines if not line.endswith("No such file or directory")]
        if not self._process.returncode or (lines and not problems):
            return ""
        return "; ".join(problems)[:500] or f"cp ended with {self._process.returncode}"

    def cancel(self) -> None:
        """Give it up."""
        if self._process.poll() is None and not kill_children(self._process.pid):
            self._process.kill()
        self._process.wait()
        self.poll()

    def next_change(self) -> float:
        """Return when to poll again."""
        return self._polled + _POLL_AFTER
