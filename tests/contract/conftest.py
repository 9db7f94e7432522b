"""A client over each transport in turn."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from zlib import crc32

import pytest

from buntime import Buntime, Session
from buntime.helpers import content, small_files, snapshots, uploads
from buntime.runloop import RunloopSDK
from buntime.transport import Transport
from tests.contract.transports import (
    ALIKE,
    ALL,
    DEVBOX,
    FOR_PROGRAMS,
    KEY,
    ON_DEVBOXES,
    PIECE,
    TRANSPORTS,
    WHOLE_TEXT,
    Services,
    one_case,
    recording,
    replaying,
)
from tests.support import effort

_WITH_CLIENT = {"client", "transport"}


@pytest.fixture(scope="session", autouse=True)
def services() -> Iterator[Services]:
    """Run the services, on a real Bun, before the fixtures that detect leftovers."""
    with Services.running() as services:
        yield services


@pytest.fixture(autouse=True)
def _small_pieces(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Split files at :data:`PIECE`, except in tests of the real sizes."""
    if "real_sizes" not in request.fixturenames:
        monkeypatch.setattr(content, "WHOLE_TEXT", WHOLE_TEXT)
        for module in (content, small_files, snapshots, uploads):
            monkeypatch.setattr(module, "PIECE", PIECE)


@pytest.fixture
def real_sizes() -> None:
    """Split files where the package does."""


@pytest.fixture(scope="session")
def cassettes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder for recordings."""
    return tmp_path_factory.mktemp("cassettes")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test on the transports in its module's ``RUNS_ON``, by default all, unless it lists its own.

    Of transports that are like another one, a test runs on a sample.
    """
    arguments = [mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")]
    is_listed = any(names.startswith("transport_name") for names in arguments)
    if "transport_name" in metafunc.fixturenames and not is_listed:
        needs_programs = "real" in metafunc.fixturenames
        names = [*(FOR_PROGRAMS if needs_programs else getattr(metafunc.module, "RUNS_ON", ALL))]
        has_client = not _WITH_CLIENT.isdisjoint(metafunc.fixturenames)
        if getattr(metafunc.module, "__name__", "").rpartition(".")[2] in ON_DEVBOXES and not has_client:
            names.append(DEVBOX)
        tried = effort.sample(ALIKE, crc32(metafunc.function.__name__.encode()), 3)
        omitted = {name for alike in ALIKE if alike not in tried for name in alike}
        names = [name for name in names if name not in omitted]
        metafunc.parametrize("transport_name", [one_case(name) for name in names], indirect=True)


@pytest.fixture
def transport_name(request: pytest.FixtureRequest) -> str:
    """Return the name of the transport under test."""
    name: str = request.param
    return name


@pytest.fixture
def transport(
    transport_name: str, services: Services, cassettes: Path, request: pytest.FixtureRequest
) -> Iterator[Transport]:
    """Return the transport under test; a replayed transport plays the recording of the test before."""
    mode, _, source = transport_name.partition("_")
    test = f"{request.node.nodeid}".replace(transport_name, source)
    path = cassettes / f"{hashlib.sha256(test.encode()).hexdigest()[:16]}.json"
    if mode == "recorded":
        context = recording(source, services, path)
    elif mode == "replayed":
        if not path.exists():
            recorder = transport_name.replace(mode, "recorded")
            pytest.fail(f"the test on {recorder} makes the recording: run it before, in the same worker")
        context = replaying(path)
    else:
        context = TRANSPORTS[transport_name](services)
    with context as transport:
        yield transport


@pytest.fixture
def client(transport: Transport) -> Iterator[Buntime]:
    """Return a client of the transport without retries, so that failures are visible."""
    with Buntime(KEY, transport=transport, max_retries=0) as client:
        yield client


@pytest.fixture
def ends_session() -> None:
    """Give the test its own session, which it may end."""


@pytest.fixture
def session(transport_name: str, services: Services, request: pytest.FixtureRequest) -> Iterator[Session]:
    """Return a session without files and processes: a new one of the client, or that of a shared sandbox."""
    is_shared = {*_WITH_CLIENT, "ends_session"}.isdisjoint(request.fixturenames)
    with ExitStack() as stack:
        if is_shared and transport_name in services.sandboxes:
            yield stack.enter_context(services.sandboxes[transport_name].lent())
        elif transport_name == DEVBOX:
            runloop = RunloopSDK(bearer_token=KEY, transport=services.local("required"), max_retries=0)
            yield stack.enter_context(runloop.devbox.create()).as_session()
        else:
            client: Buntime = request.getfixturevalue("client")
            yield stack.enter_context(client.sessions.create(ttl=600))
