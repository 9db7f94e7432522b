"""A client of Runloop over each transport in turn.

Each test on this machine records a cassette. The same test over ``buntime serve`` records it again and
changes no byte of it, and then it is replayed.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from buntime.runloop import Devbox, RunloopSDK
from buntime.transport import FakeTransport, HTTPTransport, LocalTransport, RecordingTransport, Transport
from tests.contract.transports import replaying
from tests.runloop.model.scripts import script
from tests.support.serving import buntime_serve

KEY = "rk_of_the_contract_suite"
REAL = ("local", "served", "replayed")
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


@pytest.fixture(scope="session")
def cassettes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder for recordings."""
    return tmp_path_factory.mktemp("runloop")


@pytest.fixture
def transport(request: pytest.FixtureRequest, served_url: str, cassettes: Path) -> Iterator[Transport]:
    """Return the transport under test."""
    name = request.node.nodeid.replace(request.param, "", 1).encode()
    path = cassettes / f"{hashlib.sha256(name).hexdigest()[:16]}.json"
    if request.param == "fake":
        yield script(FakeTransport())
    elif request.param == "replayed":
        with replaying(path) as transport:
            yield transport
    else:
        inner = HTTPTransport(served_url) if request.param == "served" else LocalTransport()
        before = path.read_text(encoding="utf-8") if path.exists() else None
        with closing(RecordingTransport(path, inner)) as transport:
            yield transport
        changed = difflib.unified_diff((before or "").splitlines(), path.read_text("utf-8").splitlines())
        assert before is None or [] == [*changed]


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
