"""The transports that the suite runs on."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Callable, Union, cast
from unittest import mock

import attrs
import pytest
import requests

from buntime import Buntime, ExecuteResult, Session
from buntime.runloop import ExecutionResult, RunloopSDK
from buntime.transport import (
    FakeTransport,
    HTTPTransport,
    LocalTransport,
    RecordingTransport,
    ReplayTransport,
    Transport,
)
from tests.contract import programs
from tests.support.serving import buntime_serve

KEY = "btk_of_the_contract_suite"
_ISOLATIONS = ("required", "none")
DEVBOX = "devbox"
"""In the place of a transport: the session is one over a devbox of Runloop."""


@attrs.frozen
class Sandbox:
    """A session, or one over a devbox, that tests use in turn: most take less time than its start."""

    attach: Callable[[], Session]
    run: Callable[[str], Union[ExecuteResult, ExecutionResult]]
    """Runs a command of the shell."""

    @contextmanager
    def lent(self) -> Iterator[Session]:
        """Return the session; afterwards its processes are ended and its files are deleted."""
        session = self.attach()
        yield session
        session.kill_all()
        emptied = self.run('chmod -R u+rwx . && find . "$HOME" "${TMPDIR:-/tmp}" -mindepth 1 -delete')
        assert 0 == emptied.exit_code, emptied


@contextmanager
def _start_sandboxes(local: Callable[[str], Transport]) -> Iterator[dict[str, Sandbox]]:
    """Start a sandbox for each transport that has a real Bun in this process."""
    with ExitStack() as stack:
        sandboxes = {}
        for name, isolation in (("local", "required"), ("local_without_isolation", "none")):
            client = Buntime(KEY, transport=local(isolation), max_retries=0)
            session = stack.enter_context(client.sessions.create(ttl=24 * 3600))
            sandboxes[name] = Sandbox(partial(client.sessions.attach, session.id), partial(_execute, session))
        runloop = RunloopSDK(bearer_token=KEY, transport=local("required"), max_retries=0)
        devbox = stack.enter_context(runloop.devbox.create())
        sandboxes[DEVBOX] = Sandbox(devbox.as_session, devbox.cmd.exec)
        for sandbox in sandboxes.values():
            with sandbox.lent() as session:
                session.start("await Bun.sleep(3e5)")  # also starts what serves previews
        yield sandboxes


def _execute(session: Session, command: str) -> ExecuteResult:
    return session.execute(command=command)


class _SharedLocalTransport(LocalTransport):
    """Stays open when a client closes it: each new one would look for Bun and try the sandbox."""

    def close(self) -> None:
        """Do nothing."""


@attrs.frozen
class Services:
    """What the tests of a run share: URLs of a ``buntime serve``, and a local transport per isolation."""

    url: str
    fake_url: str
    """The URL of a server of a fake: responses through HTTP do not depend on Bun."""
    local: Callable[[str], Transport]
    sandboxes: Mapping[str, Sandbox]
    """By the transports that have a real Bun in this process, and one of a devbox."""

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[Services]:
        """Start everything, and end it."""
        with ExitStack() as stack:
            server = stack.enter_context(buntime_serve("--api-key", KEY))
            fake = stack.enter_context(buntime_serve("--fake", f"{programs.__name__}:scripted"))
            isolations: list[Any] = [*_ISOLATIONS]
            transports = {each: _SharedLocalTransport(isolation=each) for each in isolations}
            for transport in transports.values():
                stack.callback(LocalTransport.close, transport)
            sandboxes = stack.enter_context(_start_sandboxes(transports.__getitem__))
            yield cls(server.url, fake.url, transports.__getitem__, sandboxes)

    def without_sharing(self) -> Services:
        """Return services for a test that closes its transport."""
        return attrs.evolve(self, local=lambda isolation: LocalTransport(isolation=cast(Any, isolation)))

    def without_fake(self) -> Services:
        """Return services for tests that need a real Bun on every server."""
        return attrs.evolve(self, fake_url=self.url)


@contextmanager
def fake(_: Services) -> Iterator[Transport]:
    """The service in memory."""
    yield programs.script(FakeTransport())


@contextmanager
def local(services: Services) -> Iterator[Transport]:
    """A real Bun with a sandbox for each session."""
    yield services.local("required")


@contextmanager
def local_without_isolation(services: Services) -> Iterator[Transport]:
    """A real Bun, as the user."""
    yield services.local("none")


@contextmanager
def http(services: Services) -> Iterator[Transport]:
    """HTTP to a running ``buntime serve``."""
    yield HTTPTransport(services.url)


@contextmanager
def http_with_own_session(services: Services) -> Iterator[Transport]:
    """HTTP to a running ``buntime serve --fake``, with a user's requests session."""
    with requests.Session() as session:
        yield HTTPTransport(services.fake_url, session=session)


_SOURCES = (
    fake,
    local,
    local_without_isolation,
    http,
    http_with_own_session,
)
TRANSPORTS = {source.__name__: source for source in _SOURCES}
SHARES_PORTS = ("local_without_isolation",)
"""The transports whose sessions share the machine's ports."""
RECORDED = ("fake", "local", "http")
"""The transports that are also recorded; each test replays the recording that it made just before."""
ALL = [*TRANSPORTS, *(f"{mode}_{name}" for name in RECORDED for mode in ("recorded", "replayed"))]
FOR_HELPERS = ["fake", "local", "local_without_isolation", "recorded_fake", "replayed_fake"]
"""The transports for helpers: a helper is an execution, which test_executions.py runs on all transports.

A recording has the same requests of a helper with or without Bun.
"""
FOR_PROGRAMS = ["fake", "local", "local_without_isolation", "recorded_local", "replayed_local"]
"""The transports for helpers with programs that a fake does not run."""
_SOME_HELPERS = ["http", "recorded_local", "replayed_local"]
"""These run the common rows of :func:`matrix` alone: their parts are those of the transports above."""
FULL_MATRIX = ("fake", "local")
"""One transport without a real Bun and one with it."""

PIECE = 63 * 1024
"""The size of a piece in these tests, a multiple of three as well: the code is the same for any size."""
WHOLE_TEXT = 4 * PIECE
"""The size of the longest text in a single request in these tests."""


ON_DEVBOXES = {
    f"test_{name}"
    for name in (
        "continued_work",
        "executions",
        "fetch",
        "file_changes",
        "file_contents",
        "files",
        "functions",
        "interruptions",
        "processes",
        "repl",
        "snapshots",
        "standard_input",
        "streams",
        "transfers",
        "watch",
    )
}
"""The modules with tests that run over a devbox, too: those that have a session and no client."""

ALIKE: list[tuple[str, ...]] = [
    (DEVBOX,),
    ("local_without_isolation",),
    ("recorded_fake", "replayed_fake", "recorded_local", "replayed_local"),
    ("recorded_http", "replayed_http"),
    ("http_with_own_session",),
    ("http",),
]
"""Each is made of the parts of others, so that by default a test runs on a sample of them.

With each third of them, a test runs on one sandbox or recording more, and over HTTP.
"""

_ON_EACH_PYTHON = {"fake", "local", "http"} | {
    f"{mode}_{name}" for mode in ("recorded", "replayed") for name in ("fake", "local")
}
"""Their parts are all that could differ by the version of Python."""


def one_case(name: str, *values: Any) -> Any:
    """Return the parameters of a test on a transport."""
    marks = () if name in _ON_EACH_PYTHON else pytest.mark.one_python
    return pytest.param(name, *values, id="-".join([name, *map(str, values[:1])]), marks=marks)


def runs_on(*names: str) -> pytest.MarkDecorator:
    """Run a slow test on these transports only; the others do not differ in the behaviour under test."""
    return pytest.mark.parametrize("transport_name", [one_case(name) for name in names], indirect=True)


def matrix(arguments: str, rows: Sequence[Any], *, common: int) -> pytest.MarkDecorator:
    """Run a test of helpers with all rows on :data:`FULL_MATRIX`, and with the first ``common`` on the rest.

    Use it for rows that concern code above or below the transport, which is the same for all transports.
    """
    cases = []
    for name in [*FOR_HELPERS, *_SOME_HELPERS]:
        for row in rows if name in FULL_MATRIX else rows[:common]:
            values = row if isinstance(row, tuple) else (row,)
            cases.append(one_case(name, *values))
    return pytest.mark.parametrize(f"transport_name,{arguments}", cases, indirect=["transport_name"])


@contextmanager
def recording(source: str, services: Services, path: Path) -> Iterator[Transport]:
    """Record one of the transports, over HTTP to a running ``buntime serve --fake``."""
    services = attrs.evolve(services, url=services.fake_url)
    with TRANSPORTS[source](services) as inner, closing(RecordingTransport(path, inner)) as transport:
        yield transport


@contextmanager
def replaying(path: Path) -> Iterator[Transport]:
    """Replay the whole recording, without sockets and without programs."""
    transport = ReplayTransport(path)
    with ExitStack() as absent:
        absent.enter_context(mock.patch.object(socket, "socket", _fail))
        absent.enter_context(mock.patch.object(subprocess, "Popen", _fail))
        absent.enter_context(mock.patch.dict(os.environ, {"PATH": "", "BUNTIME_BUN": "/nonexistent/bun"}))
        yield transport
    assert [] == transport.unplayed


def _fail(*_: Any, **__: Any) -> Any:
    raise AssertionError("a replay must not open sockets or run programs")
