"""The transports that the suite runs over."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import requests

from buntime.transport import (
    FakeTransport,
    HTTPTransport,
    LocalTransport,
    RecordingTransport,
    ReplayTransport,
    Transport,
)
from tests.contract import programs

KEY = "btk_of_the_contract_suite"


@contextmanager
def fake(_url: str) -> Iterator[Transport]:
    """The service in memory."""
    yield programs.script(FakeTransport())


@contextmanager
def local(_url: str) -> Iterator[Transport]:
    """A real Bun, each session in a sandbox."""
    yield LocalTransport()


@contextmanager
def local_without_isolation(_url: str) -> Iterator[Transport]:
    """A real Bun, as the user."""
    yield LocalTransport(isolation="none")


@contextmanager
def http(url: str) -> Iterator[Transport]:
    """HTTP to a running ``buntime serve``."""
    yield HTTPTransport(url)


@contextmanager
def http_with_own_session(url: str) -> Iterator[Transport]:
    """The same, over a session of the user's."""
    with requests.Session() as session:
        yield HTTPTransport(url, session=session)


WORLDS = {
    world.__name__: world for world in (fake, local, local_without_isolation, http, http_with_own_session)
}
SHARES_PORTS = ("local_without_isolation",)
"""The worlds where sessions have the machine's ports in common."""
RECORDED = ("fake", "local", "http")
"""The worlds that are recorded too; each test replays what it recorded just before."""
EVERY = [*WORLDS, *(f"{how}_{world}" for world in RECORDED for how in ("recorded", "replayed"))]
OF_HELPERS = [
    world for world in EVERY if world not in {"http_with_own_session", "recorded_http", "replayed_http"}
]
"""The worlds for helpers: each is an execution, and those go over every world in test_executions.py."""
WHOLE_MATRIX = ("fake", "local")
"""One world without and one with a real Bun."""


def over(*names: str) -> pytest.MarkDecorator:
    """Run a test over these worlds alone: it is slow, and the others differ in nothing that it is about."""
    return pytest.mark.parametrize("world", names, indirect=True)


def matrix(arguments: str, rows: Sequence[Any], *, everywhere: int) -> pytest.MarkDecorator:
    """Run a test with all rows over :data:`WHOLE_MATRIX`, and with the first ``everywhere`` over the rest.

    For rows that make a difference to code above or below the transport, which is the same for all worlds.
    """
    cases = []
    for world in OF_HELPERS:
        for row in rows if world in WHOLE_MATRIX else rows[:everywhere]:
            values = row if isinstance(row, tuple) else (row,)
            cases.append(pytest.param(world, *values, id=f"{world}-{values[0]}"))
    return pytest.mark.parametrize(f"world,{arguments}", cases, indirect=["world"])


@contextmanager
def recording(source: str, url: str, path: Path) -> Iterator[Transport]:
    """Record over one of the worlds."""
    with WORLDS[source](url) as inner, closing(RecordingTransport(path, inner)) as transport:
        yield transport


@contextmanager
def replaying(path: Path) -> Iterator[Transport]:
    """Replay what was recorded, all of it, where there is no socket and no program to run."""
    transport = ReplayTransport(path)
    with ExitStack() as absent:
        absent.enter_context(mock.patch.object(socket, "socket", _nothing))
        absent.enter_context(mock.patch.object(subprocess, "Popen", _nothing))
        absent.enter_context(mock.patch.dict(os.environ, {"PATH": "", "BUNTIME_BUN": "/nonexistent/bun"}))
        yield transport
    assert [] == transport.unplayed


def _nothing(*_: Any, **__: Any) -> Any:
    raise AssertionError("a replay opens no socket and runs no program")
