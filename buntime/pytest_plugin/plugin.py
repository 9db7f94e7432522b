"""The pytest plugin: a client that answers from the cassette of the test.

pytest loads it in every project that has buntime installed, so imports wait until a test uses a fixture.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from buntime.errors import BuntimeError, ConfigurationError
from buntime.testing import choice

if TYPE_CHECKING:
    from buntime import Buntime, Session
    from buntime.pytest_plugin.cassettes import Cassettes

_MARKER = (
    "buntime(cassette=None, mode=None, allow_unplayed=False, allow=()): the cassette of the test (a path "
    "from its file), its mode ('replay', 'record', 'verify', 'live'), whether it may leave interactions "
    "unplayed, and texts that look like a secret and are not."
)
_NAME = "buntime-cassettes"
_TTL = 3600


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options and the settings."""
    group = parser.getgroup("buntime", "cassettes of buntime")
    group.addoption(
        "--buntime-mode",
        choices=choice.MODES,
        help="replay cassettes (the default), record them again, verify them against the source, or go live",
    )
    group.addoption(
        "--buntime-source",
        choices=choice.SOURCES,
        help="where to record from: the service (http, the default) or a Bun on this machine (local)",
    )
    parser.addini("buntime_mode", "the default of --buntime-mode", default="")
    parser.addini("buntime_source", "the default of --buntime-source", default="")
    parser.addini(
        "buntime_allow", "texts that look like a secret and are not, one a line", type="linelist", default=[]
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker and the hooks for cassettes."""
    config.addinivalue_line("markers", _MARKER)
    options = [config.getoption(name, default=None) for name in ("buntime_mode", "buntime_source")]
    config.add_cleanup(choice.begin_run(*options))
    # A project with an older pytest must not notice that buntime is installed.
    if hasattr(pytest, "version_tuple"):
        from buntime.pytest_plugin.cassettes import Cassettes

        config.pluginmanager.register(Cassettes(config), _NAME)


def pytest_report_header(config: pytest.Config) -> str:
    """Return the mode and the source."""
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
    cassettes: Cassettes | None = request.config.pluginmanager.get_plugin(_NAME)
    if cassettes is None:
        pytest.fail("the fixtures of buntime need pytest 7 or later", pytrace=False)
    return cassettes


@pytest.fixture
def buntime_client(request: pytest.FixtureRequest) -> Buntime:
    """Return a client that answers from the test's cassette, or records it: see ``--buntime-mode``."""
    try:
        return _cassettes(request).start(request.node)
    except (BuntimeError, OSError) as error:
        message = str(error)
    # Outside of the handler, so that pytest does not show the error as a cause.
    pytest.fail(message, pytrace=False)


@pytest.fixture
def buntime_session(request: pytest.FixtureRequest, buntime_client: Buntime) -> Iterator[Session]:
    """Return a new session of ``buntime_client``, which is deleted after the test."""
    session = buntime_client.sessions.create(ttl=_TTL)
    yield session
    try:
        with session:
            pass
    except BuntimeError:
        # The exception of the test itself explains more.
        if not _cassettes(request).failed:
            raise
