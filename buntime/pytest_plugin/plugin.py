"""The pytest plugin: a client that answers from the cassette of the test.

It is loaded wherever buntime is installed, so it imports next to nothing before a test uses a fixture.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from buntime.errors import BuntimeError, ConfigurationError
from buntime.testing import choice as modes

if TYPE_CHECKING:
    from buntime import Buntime, Session
    from buntime.pytest_plugin.cassettes import Cassettes

_MARKER = (
    "buntime(cassette=None, mode=None, allow_unplayed=False): the cassette of the test (a path from its "
    "file), its mode ('replay', 'record', 'verify', 'live'), and whether it may leave interactions unplayed."
)
_NAME = "buntime-cassettes"
_TTL = 3600


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options and the settings."""
    group = parser.getgroup("buntime", "cassettes of buntime")
    group.addoption(
        "--buntime-mode",
        choices=modes.MODES,
        help="replay cassettes (the default), record them anew, verify them against the source, or go live",
    )
    group.addoption(
        "--buntime-source",
        choices=modes.SOURCES,
        help="what is recorded from: the service (http, the default) or a Bun on this machine (local)",
    )
    parser.addini("buntime_mode", "the default of --buntime-mode", default="")
    parser.addini("buntime_source", "the default of --buntime-source", default="")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and what looks after cassettes."""
    config.addinivalue_line("markers", _MARKER)
    said = [config.getoption(name, default=None) for name in ("buntime_mode", "buntime_source")]
    config.add_cleanup(modes.begin_run(*said))
    # A project with an older pytest that has buntime installed must not notice.
    if hasattr(pytest, "version_tuple"):
        from buntime.pytest_plugin.cassettes import Cassettes

        config.pluginmanager.register(Cassettes(config), _NAME)


def pytest_report_header(config: pytest.Config) -> str:
    """Say the mode, and what is recorded from."""
    cassettes = config.pluginmanager.get_plugin(_NAME)
    if cassettes is None:
        return "buntime: off, as its fixtures need pytest 7 or later"
    try:
        mode = cassettes.mode()
        source = cassettes.source(mode)
    except ConfigurationError as error:
        return f"buntime: {error.message}"
    return f"buntime: mode {mode}, " + ("no network" if mode == "replay" else f"source {source}")


def _cassettes(request: pytest.FixtureRequest) -> Cassettes:
    found: Cassettes | None = request.config.pluginmanager.get_plugin(_NAME)
    if found is None:
        pytest.fail("the fixtures of buntime need pytest 7 or later", pytrace=False)
    return found


@pytest.fixture
def buntime_client(request: pytest.FixtureRequest) -> Buntime:
    """Return a client that answers from the test's cassette, or records it: see ``--buntime-mode``."""
    try:
        return _cassettes(request).start(request.node)
    except (BuntimeError, OSError) as error:
        failed = str(error)
    # Out here, so that pytest shows no error behind it.
    pytest.fail(failed, pytrace=False)


@pytest.fixture
def buntime_session(request: pytest.FixtureRequest, buntime_client: Buntime) -> Iterator[Session]:
    """Return a new session of ``buntime_client``, which is deleted after the test."""
    session = buntime_client.sessions.create(ttl=_TTL)
    yield session
    try:
        with session:
            pass
    except BuntimeError:
        # What the test itself raised says more.
        if not _cassettes(request).failed:
            raise
