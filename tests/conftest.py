"""Fixtures for every test: it starts clean, stays on this machine, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import gc
import importlib
import ipaddress
import os
import re
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

import attrs
import pytest

from tests.support import effort

_SETTINGS = {
    "all_proxy",
    "build_number",
    "ci",
    "curl_ca_bundle",
    "force_color",
    "http_proxy",
    "https_proxy",
    "netrc",
    "no_color",
    "no_proxy",
    "py_colors",
    "pytest_addopts",
    "requests_ca_bundle",
    "ssl_cert_file",
}
_ISOLATIONS = re.compile(r"(?<=[\[-])(?:none|required)(?=[]-])")
_FDS = Path("/proc/self/fd")
_TASKS = Path("/proc/self/task")
_OPENED_ONCE = {"/dev/urandom"}

effort.load_profile()


def pytest_configure(config: pytest.Config) -> None:
    """Prepare what child processes inherit, and the order of the test files.

    A signal that the parent process ignores, as nohup does, is restored. Bytecode is written: hundreds of
    tests start a Python, and each would compile the package again. By default, ``--dist loadfile`` ends with
    the files of few tests; they are our slowest, so one worker would run the last of them alone.
    """
    config.option.loadscopereorder = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    for name, handler in (("SIGINT", signal.default_int_handler), ("SIGHUP", signal.SIG_DFL)):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


@pytest.hookimpl(hookwrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[None]:
    """Exempt thousands of tests, which live to the end, from garbage collection."""
    gc.disable()
    _import_from_another_start(session.config)
    yield
    gc.freeze()
    gc.enable()


def _import_from_another_start(config: pytest.Config) -> None:
    """Import the test files in another order than the other workers, so that each compiles a part of them.

    All collect in the same order: without bytecode, each would compile every file at the same time.
    """
    worker = getattr(config, "workerinput", None)
    if worker is not None:
        files = sorted({file for path in config.args for file in Path(path).absolute().rglob("test_*.py")})
        start = len(files) * int(worker["workerid"][2:]) // worker["workercount"]
        for file in files[start:] + files[:start]:
            # An error is that of the file when it is collected.
            with contextlib.suppress(Exception, pytest.skip.Exception):
                importlib.import_module(".".join(file.relative_to(config.rootpath).with_suffix("").parts))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run each test that has both isolations as parameters with one of them, unless the profile is full."""
    variants: dict[str, list[pytest.Item]] = {}
    for item in items:
        variants.setdefault(_ISOLATIONS.sub("*", item.nodeid), []).append(item)
    pairs = {name: pair for name, pair in variants.items() if len(pair) == 2}
    tried = {item for name, pair in pairs.items() for item in effort.sample(pair, crc32(name.encode()), 2)}
    omitted = {item: None for pair in pairs.values() for item in pair if item not in tried}
    config.hook.pytest_deselected(items=[*omitted])
    items[:] = [item for item in items if item not in omitted]


@attrs.frozen
class _Snapshot:
    threads: frozenset[threading.Thread]
    children: frozenset[str]
    descriptors: frozenset[tuple[str, str]]
    folders: frozenset[str]

    def left_behind(self, before: _Snapshot) -> list[str]:
        """Describe the resources that exist now but did not exist before."""
        return [
            *(f"thread {thread.name}" for thread in self.threads - before.threads),
            *(f"child process {pid}" for pid in self.children - before.children),
            *(f"descriptor {fd} ({target})" for fd, target in self.descriptors - before.descriptors),
            *(f"folder {name}" for name in self.folders - before.folders),
        ]


def _take_snapshot(folder: Path) -> _Snapshot:
    return _Snapshot(
        threads=frozenset(threading.enumerate()),
        children=_children(),
        descriptors=_descriptors(),
        folders=frozenset(os.listdir(folder)),
    )


def _children() -> frozenset[str]:
    if not _TASKS.is_dir():
        return frozenset()
    pids: set[str] = set()
    for task in os.listdir(_TASKS):
        with contextlib.suppress(OSError), open(f"{_TASKS}/{task}/children") as file:
            pids.update(file.read().split())
    return frozenset(pids)


def _descriptors() -> frozenset[tuple[str, str]]:
    descriptors = set()
    for fd in os.listdir(_FDS) if _FDS.is_dir() else ():
        with contextlib.suppress(OSError):
            target = os.readlink(f"{_FDS}/{fd}")
            if target not in _OPENED_ONCE:
                descriptors.add((fd, target))
    return frozenset(descriptors)


@pytest.fixture
def pytester(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Let a run of pytest inside a test compile its files.

    Bytecode is valid for a time in seconds and a size: two versions of a file can have the same.
    """
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    return pytester


@pytest.fixture(scope="session")
def temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Create a short-named substitute for /tmp, which other programs also use."""
    tmp_path_factory.getbasetemp()  # must exist first, so that pytest's folder is not inside ours
    folder = Path(tempfile.mkdtemp(prefix="tests-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def _leaves_nothing(temporary_folder: Path) -> Iterator[None]:
    """Fail a test that leaves a thread, a child process, a descriptor or a temporary folder behind.

    Only the test uses our temporary folder, not the services that several tests share.
    """
    before = _take_snapshot(temporary_folder)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("TMPDIR", str(temporary_folder))
        monkeypatch.setattr(tempfile, "tempdir", str(temporary_folder))
        yield
    if _take_snapshot(temporary_folder).left_behind(before):
        gc.collect()
        for thread in frozenset(threading.enumerate()) - before.threads:
            thread.join(5)
        leftovers = _take_snapshot(temporary_folder).left_behind(before)
        assert not leftovers, f"the test left behind: {', '.join(sorted(leftovers))}"


@pytest.fixture(scope="session", autouse=True)
def _starts_clean() -> Iterator[None]:
    """Remove settings of buntime, of the network and of pytest from the environment.

    With ``CI``, pytest repeats whole messages in its summary. Once for all tests: a test that changes the
    environment restores it.
    """
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in list(os.environ):
            if name.startswith("BUNTIME_") or name.lower() in _SETTINGS:
                monkeypatch.delenv(name)
        yield


class ExternalNetworkError(Exception):
    """A test tried to leave this machine."""


@pytest.fixture(scope="session", autouse=True)
def _stays_on_this_machine() -> Iterator[None]:
    """Restrict sockets and name resolution to loopback; ``*.invalid`` is unknown, as everywhere."""
    resolve = socket.getaddrinfo

    def connecting(real: Any) -> Any:
        def connect(self: socket.socket, address: Any) -> Any:
            if self.family in {socket.AF_INET, socket.AF_INET6} and not _is_loopback(address[0]):
                raise ExternalNetworkError(f"a test connects to {address}")
            return real(self, address)

        return connect

    def getaddrinfo(host: Any, *args: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name is not None and not _is_loopback(name):
            if name.endswith(".invalid"):
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            raise ExternalNetworkError(f"a test resolves {name!r}")
        return resolve(host, *args, **options)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(socket.socket, "connect", connecting(socket.socket.connect))
        monkeypatch.setattr(socket.socket, "connect_ex", connecting(socket.socket.connect_ex))
        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        yield


def _is_loopback(host: str) -> bool:
    if host in {"", "localhost"}:
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
