"""A client of Runloop over each transport in turn."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from buntime.runloop import Devbox, RunloopSDK
from buntime.transport import FakeTransport, HTTPTransport, LocalTransport, Transport
from tests.runloop.model.scripts import script
from tests.support.serving import buntime_serve

KEY = "rk_of_the_contract_suite"
REAL = ("local", "served")
ALL = ("fake", *REAL)


@pytest.fixture(scope="session", autouse=True)
def served_url() -> Iterator[str]:
    """Run ``buntime serve`` with a key, before the fixtures that detect leftovers."""
    with buntime_serve("--api-key", KEY) as server:
        yield server.url


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test on all transports, or with the mark ``real`` on those that run commands."""
    if "transport" in metafunc.fixturenames:
        is_real = (
            str(metafunc.definition.nodeid).partition("::")[0].endswith("_commands.py")
            or "real" in metafunc.function.__name__
        )
        metafunc.parametrize("transport", REAL if is_real else ALL, indirect=True)


@pytest.fixture
def transport(request: pytest.FixtureRequest, served_url: str) -> Transport:
    """Return the transport under test."""
    if request.param == "fake":
        return script(FakeTransport())
    return HTTPTransport(served_url) if request.param == "served" else LocalTransport()


@pytest.fixture
def runloop(transport: Transport) -> Iterator[RunloopSDK]:
    """Return a client without retries, so that failures are visible."""
    with RunloopSDK(bearer_token=KEY, transport=transport, max_retries=0) as runloop:
        yield runloop


@pytest.fixture
def devbox(runloop: RunloopSDK) -> Iterator[Devbox]:
    """Return a new devbox of the client."""
    with runloop.devbox.create(name="box", environment_variables={"GREETING": "hi"}) as devbox:
        yield devbox
