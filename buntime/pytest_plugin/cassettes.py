"""The hooks of pytest that open, close and account for cassettes."""

from __future__ import annotations

import os
import shlex
from collections import defaultdict
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, Union

import pytest

from buntime.errors import BuntimeError, ConfigurationError
from buntime.pytest_plugin import paths
from buntime.testing import choice

if TYPE_CHECKING:
    import pluggy

    from buntime import Buntime
    from buntime.testing.modes import Case

_ARGUMENTS = {
    "cassette": (str, os.PathLike),
    "mode": (str,),
    "allow_unplayed": (bool,),
    "allow": (str, list, tuple, set, frozenset),
}
_ORPHANS = "buntime_orphans"


class _RunningTest:
    """The test in progress, if it uses the client. ``outcome`` is ``""`` until the test itself has ended."""

    def __init__(self, case: Case, mode: str) -> None:
        self.case = case
        self.mode = mode
        self.outcome = ""


class Cassettes:
    """The cassettes of one run."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._running: Optional[_RunningTest] = None
        self._partial_files: set[Path] = set()
        self._orphans: set[str] = set()
        self._recorders: Optional[defaultdict[Optional[str], list[str]]] = None

    def mode(self, of_marker: Optional[str] = None) -> str:
        """Return the mode of a test; replay on the command line applies to all tests."""
        option = self._config.getoption("buntime_mode")
        if option == "replay":
            return "replay"
        return choice.choose_mode(
            ("mode= of the marker buntime", of_marker),
            ("--buntime-mode", option),
            choice.environment_mode(),
            ("buntime_mode of the configuration file", self._config.getini("buntime_mode")),
        )

    def source(self, mode: str) -> str:
        """Return the source from which tests in a mode are recorded."""
        return choice.choose_source(
            mode,
            ("--buntime-source", self._config.getoption("buntime_source")),
            choice.environment_source(),
            ("buntime_source of the configuration file", self._config.getini("buntime_source")),
        )

    def start(self, item: pytest.Item) -> Buntime:
        """Open the case of a test and return its client."""
        from buntime.testing.modes import open_case

        arguments = _marker_arguments(item)
        mode = self.mode(arguments.get("mode"))
        path = _cassette(item)
        if mode == "record":
            self._refuse_shared(item, path)
        case = open_case(
            path,
            mode=mode,
            source=self.source(mode),
            allow_unplayed=arguments.get("allow_unplayed", False),
            allow=(*self._config.getini("buntime_allow"), *arguments.get("allow", ())),
            rerecord_command=f"pytest --buntime-mode=record {shlex.quote(item.nodeid)}",
        )
        self._running = _RunningTest(case, mode)
        return case.client

    @property
    def failed(self) -> bool:
        """Whether the test in progress has failed."""
        return self._running is not None and self._running.outcome == "failed"

    def _refuse_shared(self, item: pytest.Item, path: Path) -> None:
        """Raise if another test would record the same cassette, in any worker of xdist."""
        if self._recorders is None:
            self._recorders = defaultdict(list)
            for other in item.session.items:
                self._recorders[self._recorded_cassette(other)].append(other.nodeid)
        same = self._recorders[_comparable(path)]
        if len(same) > 1:
            raise ConfigurationError(
                f"{path} would be recorded by {' and by '.join(same)}; give each test its own cassette, "
                "or mode='replay' to all but one"
            )

    def _recorded_cassette(self, item: pytest.Item) -> Optional[str]:
        """Return the cassette that a test records, in a form that can be compared."""
        if "buntime_client" in getattr(item, "fixturenames", ()):
            with suppress(ConfigurationError):
                if self.mode(_marker_arguments(item).get("mode")) == "record":
                    return _comparable(_cassette(item))
        return None

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self) -> Generator[None, pluggy.Result[pytest.TestReport], None]:
        """Note the outcome of the test.

        A subtest has a report, too, which looks like that of the test. The test's report is the last
        one, so an outcome stands until the next report, except for a failure.
        """
        result = yield
        if self._running is None or self._running.outcome == "failed":
            return
        report = result.get_result()
        if report.skipped and hasattr(report, "wasxfail"):
            self._running.outcome = "xfailed"
        elif not report.passed:
            self._running.outcome = report.outcome
        elif report.when == "call":
            self._running.outcome = "passed"

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, pluggy.Result[None], None]:
        """End the case after all fixtures, as they may still send requests."""
        result = yield
        running, self._running = self._running, None
        if running is None:
            return
        # A test that fails as expected is recorded, but unplayed interactions are not an error there.
        passed = running.outcome == "passed" or (running.outcome == "xfailed" and running.mode == "record")
        if result.excinfo is None and passed:
            try:
                running.case.commit()
            except (BuntimeError, OSError) as error:
                result.force_exception(pytest.fail.Exception(str(error), pytrace=False))
            return
        with suppress(BuntimeError, OSError):
            notes = running.case.discard()
            if notes:
                item.add_report_section("teardown", "by buntime", "\n".join(notes))

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """Note the files of which not every test runs."""
        self._partial_files.update(item.path.resolve() for item in items)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Discard a test that Ctrl-C interrupted, and look for cassettes without a test."""
        running, self._running = self._running, None
        if running is not None:
            with suppress(BuntimeError, OSError):
                running.case.discard()
        with suppress(OSError):  # of a folder that cannot be read
            self._orphans.update(map(str, paths.orphans(self._expected(session))))
        output: Optional[dict[str, Any]] = getattr(self._config, "workeroutput", None)
        if output is not None:
            output[_ORPHANS] = sorted(self._orphans)

    def _expected(self, session: pytest.Session) -> dict[Path, set[Path]]:
        """Return the cassettes of the tests by test file, for files whose tests were all collected."""
        # Tests that --last-failed leaves out are not announced as deselected.
        if self._config.getoption("lf", default=False):
            return {}
        # A controller of xdist has no items: its workers have them.
        items = getattr(session, "items", ())
        files = {path: path.resolve() for path in {item.path for item in items}}
        # The names of thousands of tests take a while, and most projects have no cassette.
        if not any((file.parent / paths.FOLDER).is_dir() for file in files.values()):
            return {}
        partial = self._partial_files | set(self._named_in_part())
        expected: dict[Path, set[Path]] = {}
        for item in items:
            file = files[item.path]
            if file not in partial:
                with suppress(ConfigurationError):
                    expected.setdefault(file, set()).add(_cassette(item).resolve())
        return expected

    def _named_in_part(self) -> Generator[Path, None, None]:
        for argument in self._config.args:
            file, colons, _ = argument.partition("::")
            if colons:
                yield (self._config.invocation_params.dir / file).resolve()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Add the cassettes that a worker of xdist reports."""
        self._orphans.update(getattr(node, "workeroutput", {}).get(_ORPHANS, ()))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """List the cassettes without a test."""
        if self._orphans:
            terminalreporter.section("cassettes of buntime without a test")
            for path in sorted(self._orphans):
                terminalreporter.write_line(os.path.relpath(path, self._config.invocation_params.dir))
            terminalreporter.write_line("Remove them, or name them: @pytest.mark.buntime(cassette=...)")


def _marker_arguments(item: pytest.Item) -> dict[str, Any]:
    """Return the arguments of the markers on a test; the nearest one wins."""
    arguments: dict[str, Any] = {}
    for mark in reversed(list(item.iter_markers("buntime"))):
        unknown = [*map(repr, mark.args), *sorted(set(mark.kwargs) - set(_ARGUMENTS))]
        if unknown:
            known = ", ".join(f"{name}=" for name in _ARGUMENTS)
            raise ConfigurationError(f"the marker buntime takes {known} and not {', '.join(unknown)}")
        for name, value in mark.kwargs.items():
            if value is None:
                continue
            if not isinstance(value, _ARGUMENTS[name]):
                kinds = " or ".join(kind.__name__ for kind in _ARGUMENTS[name])
                raise ConfigurationError(
                    f"{name}= of the marker buntime must be a {kinds}, not {type(value).__name__}"
                )
            arguments[name] = (value,) if name == "allow" and isinstance(value, str) else value
    return arguments


def _cassette(item: pytest.Item) -> Path:
    """Return the path of a test's cassette."""
    path: Union[str, os.PathLike[str], None] = _marker_arguments(item).get("cassette")
    if path is not None:
        return item.path.parent / path
    classes = [node.name for node in item.listchain() if isinstance(node, pytest.Class)]
    function = getattr(item, "originalname", None) or item.name
    parameters = item.name[len(function) + 1 : -1] if item.name != function else None
    return paths.module_folder(item.path) / paths.file_name([*classes, function], parameters)


def _comparable(path: Path) -> str:
    return str(path.resolve()).casefold()
