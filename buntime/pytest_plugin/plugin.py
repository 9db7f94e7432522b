"""The pytest plugin: a client that answers from the cassette of the test.

pytest loads it in every project that has buntime installed, so imports wait until a test uses a fixture.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Callable, TypeVar

import pytest

from buntime.errors import BuntimeError, ConfigurationError
from buntime.pytest_plugin.paths import ORPHANS_OPTION
from buntime.testing import choice

if TYPE_CHECKING:
    from buntime import Buntime, Session
    from buntime.pytest_plugin.cassettes import Cassettes
    from buntime.runloop import RunloopSDK

C = TypeVar("C")
_MARKER = (
    "buntime(cassette=None, mode=None, allow_unplayed=False, allow=(), ignore=()): the cassette of the test "
    "(a path from its file), its mode ('replay', 'record', 'once', 'verify', 'live'), whether it may leave "
    "interactions unplayed, texts that look like a secret and are not, and parts of requests that are not "
    "compared."
)
_NAME = "buntime-cassettes"
_TTL = 3600


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options and the settings."""
    group = parser.getgroup("buntime", "cassettes of buntime")
    group.addoption(
        "--buntime-mode",
        choices=choice.MODES,
        help="replay cassettes (the default), record them again, record only those that do not exist (once), "
        "verify them against the source, or go live",
    )
    group.addoption(
        "--buntime-source",
        choices=choice.SOURCES,
        help="where to record from: the service (http, the default) or a Bun on this machine (local)",
    )
    group.addoption(
        "--buntime-report", metavar="DIR", help="write a page with the recording of each test that fails"
    )
    # For "buntime cassette prune".
    group.addoption(ORPHANS_OPTION, metavar="FILE", help=argparse.SUPPRESS)
    parser.addini("buntime_mode", "the default of --buntime-mode", default="")
    parser.addini("buntime_source", "the default of --buntime-source", default="")
    parser.addini(
        "buntime_allow", "texts that look like a secret and are not, one a line", type="linelist", default=[]
    )
    parser.addini(
        "buntime_ignore",
        "parts of requests that are not compared, one a line: a field, or re:PATTERN",
        type="linelist",
        default=[],
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker and the hooks for cassettes."""
    config.addinivalue_line("markers", _MARKER)
    options = {name: config.getoption(f"buntime_{name}", default=None) for name in ("mode", "source")}
    configured = {name: config.getini(f"buntime_{name}") for name in ("mode", "source", "allow", "ignore")}
    tests = choice.Tests()
    # A project with an older pytest must not notice that buntime is installed.
    if hasattr(pytest, "version_tuple"):
        from buntime.pytest_plugin.cassettes import Cassettes
        from buntime.pytest_plugin.orphans import Orphans
        from buntime.pytest_plugin.reports import Reports
        from buntime.pytest_plugin.scopes import Selection

        selection = Selection(config)
        folder = config.getoption("buntime_report", default=None)
        reports = Reports(config.invocation_params.dir / folder) if folder else None
        if reports is not None:
            config.pluginmanager.register(reports, "buntime-reports")
        tests = Cassettes(config, selection, reports)
        config.pluginmanager.register(tests, _NAME)
        config.pluginmanager.register(tests.current, "buntime-current-test")
        config.pluginmanager.register(Orphans(config, selection), "buntime-orphans")
    config.add_cleanup(choice.begin_run(options, configured, tests))


def pytest_report_header(config: pytest.Config) -> str:
    """Return the mode and the source."""
    cassettes = config.pluginmanager.get_plugin(_NAME)
    if cassettes is None:
        return "buntime: off, as its fixtures need pytest 7 or later"
    try:
        mode = cassettes.settings.mode({}, {})
        source = cassettes.settings.source(mode, {})
    except ConfigurationError as error:
        return f"buntime: {error.message}"
    return f"buntime: mode {mode}, " + ("no network" if mode == "replay" else f"source {source}")


def _cassettes(request: pytest.FixtureRequest) -> Cassettes:
    cassettes: Cassettes | None = request.config.pluginmanager.get_plugin(_NAME)
    if cassettes is None:
        pytest.fail("the fixtures of buntime need pytest 7 or later", pytrace=False)
    return cassettes


def _client(request: pytest.FixtureRequest, config: object) -> Iterator[Buntime]:
    from buntime import Buntime

    yield from _open(request, config, Buntime)


def _runloop(request: pytest.FixtureRequest, config: object) -> Iterator[RunloopSDK]:
    from buntime.runloop import RunloopSDK

    yield from _open(request, config, RunloopSDK)


def _open(request: pytest.FixtureRequest, config: object, kind: type[C]) -> Iterator[C]:
    opening = _cassettes(request).open(request, config, kind)
    try:
        client = opening.__enter__()
    except (BuntimeError, OSError, TypeError, ValueError) as error:
        message = str(error)
    else:
        yield client
        opening.__exit__(None, None, None)
        return
    # Outside of the handler, so that pytest does not show the error as a cause.
    pytest.fail(message, pytrace=False)


def _session(request: pytest.FixtureRequest, client: Buntime) -> Iterator[Session]:
    session = client.sessions.create(ttl=_TTL)
    yield session
    try:
        with session:
            pass
    except BuntimeError:
        # The exception of the test itself explains more.
        if not _cassettes(request).has_failed(request.node):
            raise


@pytest.fixture(scope="session")
def buntime_config() -> dict[str, Any]:
    """Return settings of all cassettes: redefine it to set mode, source, allow, ignore, allow_unplayed."""
    return {}


@pytest.fixture
def buntime_client(request: pytest.FixtureRequest, buntime_config: object) -> Iterator[Buntime]:
    """Return a client that answers from the test's cassette, or records it: see ``--buntime-mode``."""
    yield from _client(request, buntime_config)


@pytest.fixture
def buntime_session(request: pytest.FixtureRequest, buntime_client: Buntime) -> Iterator[Session]:
    """Return a new session of ``buntime_client``, which is deleted after the test."""
    yield from _session(request, buntime_client)


def _class_client(request: pytest.FixtureRequest, buntime_config: object) -> Iterator[Buntime]:
    """Return a client with one cassette for the tests of a class."""
    yield from _client(request, buntime_config)


def _class_session(request: pytest.FixtureRequest, buntime_class_client: Buntime) -> Iterator[Session]:
    """Return a session that the tests of a class share."""
    yield from _session(request, buntime_class_client)


buntime_class_client: Any = pytest.fixture(scope="class", name="buntime_class_client")(_class_client)
buntime_class_session: Any = pytest.fixture(scope="class", name="buntime_class_session")(_class_session)


@pytest.fixture(scope="module")
def buntime_module_client(request: pytest.FixtureRequest, buntime_config: object) -> Iterator[Buntime]:
    """Return a client with one cassette for the tests of a module."""
    yield from _client(request, buntime_config)


@pytest.fixture(scope="module")
def buntime_module_session(
    request: pytest.FixtureRequest, buntime_module_client: Buntime
) -> Iterator[Session]:
    """Return a session that the tests of a module share."""
    yield from _session(request, buntime_module_client)


def _package_client(request: pytest.FixtureRequest, buntime_config: object) -> Iterator[Buntime]:
    """Return a client with one cassette for the tests of a package."""
    yield from _client(request, buntime_config)


def _package_session(request: pytest.FixtureRequest, buntime_package_client: Buntime) -> Iterator[Session]:
    """Return a session that the tests of a package share."""
    yield from _session(request, buntime_package_client)


buntime_package_client: Any = pytest.fixture(scope="package", name="buntime_package_client")(_package_client)
buntime_package_session: Any = pytest.fixture(scope="package", name="buntime_package_session")(
    _package_session
)


@pytest.fixture(scope="session")
def buntime_session_client(request: pytest.FixtureRequest, buntime_config: object) -> Iterator[Buntime]:
    """Return a client with one cassette for all tests of the run."""
    yield from _client(request, buntime_config)


@pytest.fixture(scope="session")
def buntime_session_session(
    request: pytest.FixtureRequest, buntime_session_client: Buntime
) -> Iterator[Session]:
    """Return a session that all tests of the run share."""
    yield from _session(request, buntime_session_client)


@pytest.fixture
def runloop(request: pytest.FixtureRequest, buntime_config: object) -> Iterator[RunloopSDK]:
    """Return a client of Runloop with the test's cassette, which ``buntime_client`` uses, too."""
    yield from _runloop(request, buntime_config)


def _class_runloop(request: pytest.FixtureRequest, buntime_config: object) -> Iterator[RunloopSDK]:
    """Return a client of Runloop with one cassette for the tests of a class."""
    yield from _runloop(request, buntime_config)


runloop_class: Any = pytest.fixture(scope="class", name="runloop_class")(_class_runloop)


@pytest.fixture(scope="module")
def runloop_module(request: pytest.FixtureRequest, buntime_config: object) -> Iterator[RunloopSDK]:
    """Return a client of Runloop with one cassette for the tests of a module."""
    yield from _runloop(request, buntime_config)


def _package_runloop(request: pytest.FixtureRequest, buntime_config: object) -> Iterator[RunloopSDK]:
    """Return a client of Runloop with one cassette for the tests of a package."""
    yield from _runloop(request, buntime_config)


runloop_package: Any = pytest.fixture(scope="package", name="runloop_package")(_package_runloop)


@pytest.fixture(scope="session")
def runloop_session(request: pytest.FixtureRequest, buntime_config: object) -> Iterator[RunloopSDK]:
    """Return a client of Runloop with one cassette for all tests of the run."""
    yield from _runloop(request, buntime_config)


_FIXTURES: dict[str, dict[str, Callable[..., object]]] = {
    "class": {
        "buntime_class_client": _class_client,
        "buntime_class_session": _class_session,
        "runloop_class": _class_runloop,
    },
    "package": {
        "buntime_package_client": _package_client,
        "buntime_package_session": _package_session,
        "runloop_package": _package_runloop,
    },
}
"""The fixtures that pytest would share wrongly, see :func:`pytest_collectstart`."""


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Define the fixtures of a package for each package, and those of a class for each class in a class.

    Pytest ties the scope of a package to the place of definition, and shares a class's fixture with the
    classes in it if a test of the outer one runs first.
    """
    from buntime.pytest_plugin.scopes import define, is_overridden

    package = collector.getparent(pytest.Package)
    if package is not None and "buntime_has_fixtures" not in vars(package):
        vars(package)["buntime_has_fixtures"] = True
        define(package, "package", _FIXTURES["package"])
    if isinstance(collector, pytest.Class) and isinstance(collector.parent, pytest.Class):
        fixtures = _FIXTURES["class"].items()
        ours = {name: function for name, function in fixtures if not is_overridden(name, collector)}
        define(collector, "class", ours)
