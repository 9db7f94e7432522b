"""How the supervisor of a session is started, in a sandbox or without one."""

from __future__ import annotations

import platform
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from importlib import resources
from pathlib import Path
from typing import IO, Any, Union

import attrs

from buntime.service.executors import Limits
from buntime.service.machine.orphans import FIRST_TAG, kill_tagged
from buntime.service.machine.sandbox import (
    BUN_INSIDE,
    SESSION,
    Layout,
    Sandbox,
    start_process,
)
from buntime.service.workspace.paths import STATE_FOLDER, WORKSPACE

_SCRIPTS = ("main.js", "launch.js", "output.js", "processes.js", "sockets.js", "preview.js")
_SCRIPTS_INSIDE = "/run/buntime"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LOCALE = {"LANG": "C.UTF-8"}
_PREVIEW_SOCKET = f"{STATE_FOLDER}/preview"

_TAGS = 2**24
_THREADS = 1024


@attrs.frozen
class SupervisorProcess:
    """A supervisor that was started: its process, its stderr, the first message it waits for.

    ``scratch`` is its folder if it has no sandbox; ``preview_socket`` is the path, in the workspace, of the
    socket through which its preview is reached, if the session has its own network.
    """

    process: subprocess.Popen[bytes]
    errors: IO[bytes]
    start_message: dict[str, Any]
    scratch: Union[Path, None] = None
    preview_socket: Union[str, None] = None

    def cleanup(self) -> None:
        """Remove the processes and files of a supervisor that has ended without a sandbox."""
        self.errors.close()
        if self.scratch is None:
            return
        if self.process.returncode != 0 and sys.platform == "linux":
            kill_tagged(self.start_message["tag"] - _TAGS, self.start_message["tag"])
        shutil.rmtree(self.scratch, ignore_errors=True)


def _start_message(limits: Limits, lifetime: float, **others: Any) -> dict[str, Any]:
    """Return the first message to a supervisor; ``ulimit -f`` counts blocks of 512 bytes."""
    tag = FIRST_TAG + (secrets.randbelow(2**27) + 1) * _TAGS
    limited = {"memory": limits.memory << 20, "blocks": limits.disk << 11, "lifetime": lifetime}
    return {"op": "start", "tag": tag, **limited, **others}


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
        preview_socket = None if self.sandbox.network or layout is not SESSION else _PREVIEW_SOCKET
        start_message = _start_message(
            limits,
            lifetime,
            direct=False,
            workspace=next(iter(mounts)),
            scratch=None,
            temporary=layout.temporary,
            has_sockets=not self.sandbox.network,
            preview_socket=preview_socket and f"{WORKSPACE}/{preview_socket}",
            env={"PATH": _path(layout), "HOME": layout.home, "TMPDIR": "/tmp", **_LOCALE},  # noqa: S108 - the sandbox's own
            processes=_THREADS if _counts_by_namespace() else None,
        )
        files = {f"{_SCRIPTS_INSIDE}/{name}": content for name, content in _scripts().items()}
        files["/etc/passwd"] = f"{layout.user}:x:1000:1000::{layout.home}:/bin/sh\n".encode()
        command = [BUN_INSIDE, f"{_SCRIPTS_INSIDE}/{_SCRIPTS[0]}"]
        # Temporary files are memory: all of them together leave a quarter of it to the processes.
        size = max(1, min(limits.disk, limits.memory // 4))
        temporary = dict.fromkeys(layout.temporary, size)
        process, errors = self.sandbox.start(command, mounts=mounts, temporary=temporary, files=files)
        return SupervisorProcess(process, errors, start_message, preview_socket=preview_socket)


def _path(layout: Layout) -> str:
    """Return ``PATH``; a devbox also has the programs that its user installs."""
    return _PATH if layout is SESSION else f"{layout.home}/.local/bin:{_PATH}"


def _counts_by_namespace() -> bool:
    """Return whether RLIMIT_NPROC counts the processes of one user namespace only (Linux 5.14)."""
    version = re.match(r"(\d+)\.(\d+)", platform.release())
    return version is not None and (int(version[1]), int(version[2])) >= (5, 14)


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
        workspace, *others = (root / folder for folder in layout.mounts.values())
        scratch = Path(tempfile.mkdtemp(prefix="buntime-"))
        try:
            for name in ("bin", "home", "tmp"):
                (scratch / name).mkdir()
            for name in ("bun", "bunx"):
                (scratch / "bin" / name).symlink_to(self.bun)
            for name, content in _scripts().items():
                (scratch / name).write_bytes(content)
            # A devbox has its home and its temporary folder on disk.
            home, temporary = (workspace, *others) if others else (scratch / "home", scratch / "tmp")
            installed = f"{home}/.local/bin:" if others else ""
            env = {"PATH": f"{installed}{scratch / 'bin'}:{_PATH}", "HOME": str(home)}
            start_message = _start_message(
                limits,
                lifetime,
                direct=self.direct,
                workspace=str(workspace),
                scratch=str(scratch),
                temporary=(),
                has_sockets=False,
                preview_socket=None,
                env={**env, "TMPDIR": str(temporary), **_LOCALE},
                processes=None,
            )
            process, errors = start_process([self.bun, str(scratch / _SCRIPTS[0])], cwd=scratch)
            return SupervisorProcess(process, errors, start_message, scratch)
        except BaseException:
            shutil.rmtree(scratch, ignore_errors=True)
            raise


Launcher = Union[Isolated, Unprotected]
