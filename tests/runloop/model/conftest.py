"""Raw requests over each transport that models Runloop."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from buntime.transport import FakeTransport, HTTPTransport, LocalTransport, Transport
from tests.runloop.model.scripts import script
from tests.runloop.wire import KEY, Wire
from tests.support.serving import buntime_serve

TRANSPORTS = ("fake", "local", "without_isolation", "served")
REAL = TRANSPORTS[1:]


@pytest.fixture(scope="session", autouse=True)
def served_url() -> Iterator[str]:
    """Run ``buntime serve``, before the fixtures that detect leftovers."""
    with buntime_serve("--api-key", KEY, "--threads", "4") as server:
        yield server.url


def make(name: str, url: str) -> Transport:
    """Return a transport by name."""
    if name == "fake":
        return script(FakeTransport())
    if name == "served":
        return HTTPTransport(url)
    return LocalTransport(isolation="none" if name == "without_isolation" else None)


@pytest.fixture(params=TRANSPORTS)
def wire(request: pytest.FixtureRequest, served_url: str) -> Iterator[Wire]:
    """Send requests over each transport."""
    with ExitStack() as stack:
        transport = stack.enter_context(closing(make(request.param, served_url)))
        wire = Wire(transport)
        yield wire
        for devbox in wire.get("/devboxes", limit="5000")["devboxes"]:
            if devbox["status"] not in {"shutdown", "failure"}:
                wire.send("POST", f"/devboxes/{devbox['id']}/shutdown", query={"force": "true"}).close()
