"""The transports that the suite runs over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import requests

from buntime.transport import FakeTransport, HTTPTransport, LocalTransport, Transport
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
