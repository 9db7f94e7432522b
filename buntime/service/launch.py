"""How the supervisor of a session is started, in a sandbox or without one."""

from __future__ import annotations

import platform
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from importlib import resources
from pathlib import Path
from typing import IO, Any, Union

import attrs

from buntime.service.executors import Limits
from buntime.service.sandbox import BUN_INSIDE, SCRATCH_INSIDE, WORKSPACE_INSIDE, Sandbox
from buntime.service.strays import FIRST_TAG, kill_tagged
from buntime.service.workspace.paths import STATE_FOLDER

_SCRIPTS = ("supervisor.js", "launching.js", "processes.js", "preview.js", "listening.js")
_SCRIPTS_INSIDE = "/run/buntime"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LOCALE = {"LANG": "C.UTF-8"}
_DOOR = f"{STATE_FOLDER}/preview"

_TAGS = 2**24
_THREADS = 1024


@attrs.frozen
class SupervisorProcess:
    """A supervisor under way: its process, what it writes to stderr, the first message it waits for.

    ``scratch`` is its folder where it has no sandbox; ``door`` is the path, in the workspace, of the socket
    through which its preview is reached, where it has a network of its own.
    """

    process: subprocess.Popen[bytes]
    errors: IO[bytes]
    greeting: dict[str, Any]
    scratch: Union[Path, None] = None
    door: Union[str, None] = None

    def tidy(self) -> None:
        """Remove what a supervisor that has ended left outside of a sandbox."""
        self.errors.close()
        if self.scratch is None:
            return
        if self.process.returncode != 0 and sys.platform == "linux":
            kill_tagged(self.greeting["tag"] - _TAGS, self.greeting["tag"])
        shutil.rmtree(self.scratch, ignore_errors=True)


def _greeting(limits: Limits, lifetime: float, **others: Any) -> dict[str, Any]:
    """What both kinds of session tell their supervisor; ``ulimit -f`` counts blocks of 512 bytes."""
    tag = FIRST_TAG + (secrets.randbelow(2**27) + 1) * _TAGS
    return {
        "op": "start",
        "memory": limits.memory << 20,
        "blocks": limits.disk << 11,
        "lifetime": lifetime,
        "tag": tag,
        **others,
    }


def _scripts() -> dict[str, bytes]:
    folder = resources.files("buntime.service")
    return {name: (folder / name).read_bytes() for name in _SCRIPTS}


@attrs.frozen
class Isolated:
    """Starts a session in a sandbox of its own."""

    sandbox: Sandbox

    def start(self, workspace: Path, limits: Limits, lifetime: float) -> SupervisorProcess:
        """Start a supervisor that ends everything after ``lifetime`` seconds."""
        door = None if self.sandbox.network else _DOOR
        greeting = _greeting(
            limits,
            lifetime,
            direct=False,
            workspace=WORKSPACE_INSIDE,
            scratch=SCRATCH_INSIDE,
            disposable=False,
            door=door and f"{WORKSPACE_INSIDE}/{door}",
            env={"PATH": _PATH, "HOME": "/home", "TMPDIR": "/tmp", **_LOCALE},  # noqa: S108 - the sandbox's own
            processes=_THREADS if _counts_by_namespace() else None,
        )
        files = {f"{_SCRIPTS_INSIDE}/{name}": content for name, content in _scripts().items()}
        command = [BUN_INSIDE, f"{_SCRIPTS_INSIDE}/{_SCRIPTS[0]}"]
        with ExitStack() as undo:
            errors = undo.enter_context(tempfile.TemporaryFile())
            process = self.sandbox.popen(
                command, workspace=workspace, disk=limits.disk, files=files, stderr=errors
            )
            undo.pop_all()
        return SupervisorProcess(process, errors, greeting, door=door)


def _counts_by_namespace() -> bool:
    """Whether RLIMIT_NPROC in a user namespace counts that namespace's processes only (Linux 5.14)."""
    found = re.match(r"(\d+)\.(\d+)", platform.release())
    return found is not None and (int(found[1]), int(found[2])) >= (5, 14)


@attrs.frozen
class Unprotected:
    """Starts a session as the user, on the host, with an environment of its own and nothing more.

    ``direct=True`` (the rule outside of Linux) does without ``/proc``: an execution's end is its process
    group's, what left the group lives on, and there is no memory limit.
    """

    bun: str
    direct: bool = sys.platform != "linux"

    def start(self, workspace: Path, limits: Limits, lifetime: float) -> SupervisorProcess:
        """Start a supervisor that ends what it can find after ``lifetime`` seconds."""
        scratch = Path(tempfile.mkdtemp(prefix="buntime-"))
        try:
            return self._start(scratch, workspace, limits, lifetime)
        except BaseException:
            shutil.rmtree(scratch, ignore_errors=True)
            raise

    def _start(self, scratch: Path, workspace: Path, limits: Limits, lifetime: float) -> SupervisorProcess:
        for name in ("bin", "home", "tmp"):
            (scratch / name).mkdir()
        for name in ("bun", "bunx"):
            (scratch / "bin" / name).symlink_to(self.bun)
        for name, content in _scripts().items():
            (scratch / name).write_bytes(content)
        greeting = _greeting(
            limits,
            lifetime,
            direct=self.direct,
            workspace=str(workspace),
            scratch=str(scratch),
            disposable=True,
            door=None,
            env={
                "PATH": f"{scratch / 'bin'}:{_PATH}",
                "HOME": str(scratch / "home"),
                "TMPDIR": str(scratch / "tmp"),
                **_LOCALE,
            },
            processes=None,
        )
        with ExitStack() as undo:
            errors = undo.enter_context(tempfile.TemporaryFile())
            process = subprocess.Popen(
                [self.bun, str(scratch / _SCRIPTS[0])],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                bufsize=0,
                env={},
                cwd=scratch,
                start_new_session=True,
            )
            undo.pop_all()
        return SupervisorProcess(process, errors, greeting, scratch)
