"""The sandbox that bubblewrap builds around Bun."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, Union

import attrs

from buntime.service.machine.seccomp import seccomp_filter
from buntime.service.workspace.paths import WORKSPACE

_SYSTEM = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_CONFIGURATION = (
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/ssl/certs",
    "/etc/ca-certificates",
    "/etc/pki/tls/certs",
    "/etc/pki/ca-trust/extracted",
)
# The host's root is still the kernel's root in there: it could write these without any capability.
_KERNEL = ("/proc/sys", "/proc/fs", "/proc/scsi", "/proc/acpi", "/proc/sysrq-trigger")
_ETC = {
    "/etc/group": b"sandbox:x:1000:\n",
    "/etc/hosts": b"127.0.0.1 localhost buntime\n::1 localhost\n",
    "/etc/nsswitch.conf": b"passwd: files\ngroup: files\nhosts: files dns\n",
}

_F_SETPIPE_SZ = 1031  # of Linux; fcntl names it from Python 3.10
_PIPE_SIZE = 1 << 20

BUN_INSIDE = "/usr/local/bin/bun"
"""The path of Bun in a sandbox."""

_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@attrs.frozen
class Layout:
    """The folders of a sandbox.

    ``mounts`` are the paths inside, each with a folder of the host relative to that of the sandbox; programs
    start in the first. ``temporary`` are file systems in memory.
    """

    mounts: Mapping[str, str]
    temporary: tuple[str, ...]
    home: str
    user: str = "sandbox"
    has_preview: bool = False
    """Whether a server in it is reached from outside of its network."""

    def search_path(self, home: str, *folders: str) -> str:
        """Return ``PATH``: what is installed in ``home`` if that is on disk, ``folders``, the system's."""
        installed = (f"{home}/.local/bin",) if self.home in self.mounts else ()
        return ":".join((*installed, *folders, _SYSTEM_PATH))


SESSION = Layout({WORKSPACE: ""}, ("/tmp", "/home", "/dev/shm"), "/home", has_preview=True)  # noqa: S108 - the sandbox's own
"""A session of buntime.sh: only the workspace is on disk."""

DEVBOX = Layout({"/home/user": "home", "/tmp": "tmp"}, ("/dev/shm",), "/home/user", "user")  # noqa: S108 - as above
"""A devbox of Runloop."""


@attrs.frozen
class Sandbox:
    """A bubblewrap that works here with a Bun: both are host paths.

    ``strict`` is whether it can forbid further user namespaces and bound temporary file systems
    (bubblewrap 0.8). ``network=True`` gives the sandbox the host's network, its loopback and its
    abstract sockets included. The paths of the workspace and of Bun on the host remain visible: the
    kernel names the origin of each mount in ``/proc/self/mountinfo``.
    """

    bwrap: str
    bun: str
    network: bool = False
    strict: bool = True

    def start(
        self,
        command: Sequence[str],
        *,
        mounts: Mapping[str, Path],
        temporary: Mapping[str, int],
        files: Mapping[str, bytes],
    ) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
        """Start ``command`` as process 1 of a new sandbox; see :func:`start_process`.

        ``mounts`` are the folders of the host by their path inside, ``temporary`` the temporary file systems
        with their size in MB; ``files`` are given to it read-only under absolute paths. The sandbox lives as
        long as its process 1.
        """
        with ExitStack() as stack:
            descriptors = {}
            for path, content in {**_ETC, **files}.items():
                descriptors[path] = _in_memory(content)
                stack.callback(os.close, descriptors[path])
            seccomp = _in_memory(seccomp_filter(platform.machine()))
            stack.callback(os.close, seccomp)
            argv = [*self._argv(mounts, temporary, descriptors), "--seccomp", str(seccomp), "--", *command]
            return start_process(argv, cwd="/", pass_fds=(seccomp, *descriptors.values()))

    def _argv(
        self, mounts: Mapping[str, Path], temporary: Mapping[str, int], descriptors: Mapping[str, int]
    ) -> list[str]:
        argv = [self.bwrap, "--unshare-all", "--as-pid-1", "--new-session", "--cap-drop", "ALL"]
        argv += ["--unshare-user", "--uid", "1000", "--gid", "1000", "--hostname", "buntime"]
        argv += ["--disable-userns"] if self.strict else []
        argv += ["--share-net"] if self.network else []
        argv += [*_system(), "--proc", "/proc", "--dev", "/dev"]
        for path in (*_CONFIGURATION, *_KERNEL, *(["/etc/resolv.conf"] if self.network else [])):
            argv += ["--ro-bind-try", path, path]
        for path, size in temporary.items():
            argv += [*(["--size", str(size << 20)] if self.strict else []), "--tmpfs", path]
        for path, descriptor in descriptors.items():
            argv += ["--file", str(descriptor), path]
        argv += ["--ro-bind", self.bun, BUN_INSIDE, "--symlink", "bun", f"{BUN_INSIDE}x"]
        for path, folder in mounts.items():
            argv += ["--bind", str(folder), path]
        return [*argv, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/"]


def start_process(
    argv: Sequence[str], *, cwd: Union[str, Path], pass_fds: Sequence[int] = ()
) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
    """Start a process without an environment; return it, with pipes for stdin and stdout, and its stderr."""
    with ExitStack() as undo:
        errors = undo.enter_context(tempfile.TemporaryFile())
        process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            bufsize=0,
            env={},
            cwd=cwd,
            pass_fds=pass_fds,
            start_new_session=True,
        )
        undo.pop_all()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            os.set_blocking(pipe.fileno(), True)  # under gevent's monkey patching it is not
            if sys.platform == "linux":
                import fcntl  # Windows has none

                with suppress(OSError):  # all pipes of a user are bounded together
                    fcntl.fcntl(pipe.fileno(), _F_SETPIPE_SZ, _PIPE_SIZE)
    return process, errors


def version_in(text: str) -> tuple[int, ...]:
    """Return the first two numbers of a text, which begin a version; fewer if there are fewer."""
    return tuple(map(int, re.findall(r"\d+", text)[:2]))


def _in_memory(content: bytes) -> int:
    descriptor = os.memfd_create("buntime")
    os.pwrite(descriptor, content, 0)  # bubblewrap reads from the current offset, which stays 0
    return descriptor


def _system() -> Iterator[str]:
    """The host's programs and libraries: not /usr/local, nor anything else that is the host's own."""
    for name in (*_SYSTEM, "libexec", "share"):
        yield from _shown(f"/usr/{name}")
    for name in _SYSTEM:
        yield from _shown(f"/{name}")


def _shown(path: str) -> Iterator[str]:
    if Path(path).is_symlink():
        yield from ("--symlink", str(Path(path).readlink()), path)
    elif Path(path).is_dir():
        yield from ("--ro-bind", path, path)
