"""Raw requests over each transport that models Runloop."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from zlib import crc32

import pytest

from buntime.transport import FakeTransport, HTTPTransport, LocalTransport, Transport
from tests.runloop.model.scripts import script
from tests.runloop.wire import KEY, Wire
from tests.support import effort
from tests.support.serving import buntime_serve

ALIKE = ["without_isolation", "served"]
"""Each is made of the parts of others, so that by default a test runs on one of them."""


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


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test on the transports, or on its own; of those that are alike, on a sample."""
    is_fixture_of_module = hasattr(metafunc.module, "wire")
    if "wire" in metafunc.fixturenames and not is_fixture_of_module:
        alike = effort.sample(ALIKE, crc32(metafunc.function.__name__.encode()), 2)
        metafunc.parametrize("wire", ["fake", "local", *alike], indirect=True)


@pytest.fixture
def wire(request: pytest.FixtureRequest, served_url: str) -> Iterator[Wire]:
    """Send requests over each transport."""
    with ExitStack() as stack:
        transport = stack.enter_context(closing(make(request.param, served_url)))
        wire = Wire(transport)
        yield wire
        for devbox in wire.get("/devboxes", limit="5000")["devboxes"]:
            if devbox["status"] not in {"shutdown", "failure"}:
                wire.send("POST", f"/devboxes/{devbox['id']}/shutdown", query={"force": "true"}).close()
