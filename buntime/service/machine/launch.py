"""How the supervisor of a session is started, in a sandbox or without one."""

from __future__ import annotations

import platform
import secrets
import shutil
import subprocess
import sys
import tempfile
from importlib import resources
from pathlib import Path
from typing import IO, Any, Optional, Union

import attrs

from buntime.service.executors import Limits
from buntime.service.machine.orphans import FIRST_TAG, kill_tagged
from buntime.service.machine.sandbox import BUN_INSIDE, SESSION, Layout, Sandbox, start_process, version_in
from buntime.service.workspace.paths import STATE_FOLDER

_SCRIPTS = ("main.js", "launch.js", "output.js", "processes.js", "sockets.js", "preview.js")
_SCRIPTS_INSIDE = "/run/buntime"
_LOCALE = {"LANG": "C.UTF-8"}
_PREVIEW_SOCKET = f"{STATE_FOLDER}/preview"

_TAGS = 2**24
_THREADS = 1024


@attrs.frozen(kw_only=True)
class StartMessage:
    """The first message to a supervisor."""

    tag: int
    """The highest of the numbers that mark what executions start."""
    memory: int
    """In bytes."""
    blocks: int
    """The size of the largest file, in the 512 bytes that ``ulimit -f`` counts."""
    lifetime: float
    """Seconds until everything is ended."""
    workspace: str
    env: dict[str, str]
    direct: bool = False
    """Whether processes are not looked for in ``/proc``."""
    scratch: Optional[str] = None
    """The supervisor's folder if it has no sandbox."""
    temporary: tuple[str, ...] = ()
    """The file systems in memory, which count as memory of the session."""
    has_sockets: bool = False
    """Whether the network is the session's own, so that what its sockets hold counts as its memory."""
    preview_socket: Optional[str] = None
    """The path in the workspace of the socket that leads to the preview in the sandbox's network."""
    processes: Optional[int] = None
    """The most processes and threads."""

    @classmethod
    def limited(cls, limits: Limits, lifetime: float, **others: Any) -> StartMessage:
        """Return the message to a new supervisor, with a new range of tags."""
        tag = FIRST_TAG + (secrets.randbelow(2**27) + 1) * _TAGS
        memory, blocks = limits.memory << 20, limits.disk << 11
        return cls(tag=tag, memory=memory, blocks=blocks, lifetime=lifetime, **others)

    def to_json(self) -> dict[str, Any]:
        """Return the message as it is sent."""
        return {"op": "start", **attrs.asdict(self)}


@attrs.frozen
class SupervisorProcess:
    """A supervisor that was started: its process, its stderr, the first message it waits for."""

    process: subprocess.Popen[bytes]
    errors: IO[bytes]
    start_message: StartMessage

    def cleanup(self) -> None:
        """Remove the processes and files of a supervisor that has ended without a sandbox."""
        self.errors.close()
        scratch = self.start_message.scratch
        if scratch is None:
            return
        if self.process.returncode != 0 and sys.platform == "linux":
            kill_tagged(self.start_message.tag - _TAGS, self.start_message.tag)
        shutil.rmtree(scratch, ignore_errors=True)


def _scripts() -> dict[str, bytes]:
    folder = resources.files("buntime.service.machine") / "supervisor"
    return {name: (folder / name).read_bytes() for name in _SCRIPTS}


@attrs.frozen
class Isolated:
    """Starts each session in its own sandbox."""

    sandbox: Sandbox

    def start(
        self, root: Path, limits: Limits, lifetime: float, layout: Layout = SESSION
    ) -> SupervisorProcess:
        """Start a supervisor that ends everything after ``lifetime`` seconds; ``root`` is its folder."""
        mounts = {path: root / folder for path, folder in layout.mounts.items()}
        start_message = StartMessage.limited(
            limits,
            lifetime,
            workspace=next(iter(mounts)),
            temporary=layout.temporary,
            has_sockets=not self.sandbox.network,
            preview_socket=_PREVIEW_SOCKET if layout.has_preview and not self.sandbox.network else None,
            env={"PATH": layout.search_path(layout.home), "HOME": layout.home, "TMPDIR": "/tmp", **_LOCALE},  # noqa: S108 - the sandbox's own
            # Before Linux 5.14, RLIMIT_NPROC counts the processes of all user namespaces.
            processes=_THREADS if version_in(platform.release()) >= (5, 14) else None,
        )
        files = {f"{_SCRIPTS_INSIDE}/{name}": content for name, content in _scripts().items()}
        files["/etc/passwd"] = f"{layout.user}:x:1000:1000::{layout.home}:/bin/sh\n".encode()
        command = [BUN_INSIDE, f"{_SCRIPTS_INSIDE}/{_SCRIPTS[0]}"]
        # Temporary files are memory: all of them together leave a quarter of it to the processes.
        size = max(1, min(limits.disk, limits.memory // 4))
        temporary = dict.fromkeys(layout.temporary, size)
        started = self.sandbox.start(command, mounts=mounts, temporary=temporary, files=files)
        return SupervisorProcess(*started, start_message)


@attrs.frozen
class Unprotected:
    """Starts a session as the user, on the host, with a separate environment and nothing more.

    ``direct=True`` (the default outside of Linux) does without ``/proc``: an execution's end is its process
    group's, processes outside of the group live on, and there is no memory limit.
    """

    bun: str
    direct: bool = sys.platform != "linux"

    def start(
        self, root: Path, limits: Limits, lifetime: float, layout: Layout = SESSION
    ) -> SupervisorProcess:
        """Start a supervisor that ends the processes it can find after ``lifetime`` seconds."""
        on_disk = {path: root / folder for path, folder in layout.mounts.items()}
        scratch = Path(tempfile.mkdtemp(prefix="buntime-"))
        try:
            for name in ("bin", "home", "tmp"):
                (scratch / name).mkdir()
            for name in ("bun", "bunx"):
                (scratch / "bin" / name).symlink_to(self.bun)
            for name, content in _scripts().items():
                (scratch / name).write_bytes(content)
            home = str(on_disk.get(layout.home, scratch / "home"))
            temporary = str(on_disk.get("/tmp", scratch / "tmp"))  # noqa: S108 - the path in a sandbox
            path = layout.search_path(home, str(scratch / "bin"))
            start_message = StartMessage.limited(
                limits,
                lifetime,
                direct=self.direct,
                workspace=str(next(iter(on_disk.values()))),
                scratch=str(scratch),
                env={"PATH": path, "HOME": home, "TMPDIR": temporary, **_LOCALE},
            )
            started = start_process([self.bun, str(scratch / _SCRIPTS[0])], cwd=scratch)
            return SupervisorProcess(*started, start_message)
        except BaseException:
            shutil.rmtree(scratch, ignore_errors=True)
            raise


Launcher = Union[Isolated, Unprotected]
