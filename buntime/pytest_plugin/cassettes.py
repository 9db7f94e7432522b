"""What looks after the cassettes of a pytest run."""

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
from buntime.pytest_plugin import paths as paths
from buntime.testing import choice as modes

if TYPE_CHECKING:
    import pluggy

    from buntime import Buntime
    from buntime.testing.modes import Case

_ARGUMENTS = {"cassette": (str, os.PathLike), "mode": (str,), "allow_unplayed": (bool,)}
_ORPHANS = "buntime_orphans"


class _Run:
    """The test in progress, where it uses the client. ``ended`` says how it did; not yet is ``""``."""

    def __init__(self, case: Case, mode: str) -> None:
        self.case = case
        self.mode = mode
        self.ended = ""


class Cassettes:
    """The hooks of pytest that open, close and keep account of cassettes."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._run: Optional[_Run] = None
        self._partial: set[Path] = set()
        self._orphans: set[str] = set()
        self._recorders: Optional[defaultdict[Optional[str], list[str]]] = None

    def mode(self, marked: Optional[str] = None) -> str:
        """Return the mode of a test; replay on the command line holds for all."""
        option = self._config.getoption("buntime_mode")
        if option == "replay":
            return "replay"
        return modes.chosen_mode(
            ("mode= of the marker buntime", marked),
            ("--buntime-mode", option),
            modes.environment_mode(),
            ("buntime_mode of the configuration file", self._config.getini("buntime_mode")),
        )

    def source(self, mode: str) -> str:
        """Return what tests in a mode are recorded from."""
        return modes.chosen_source(
            mode,
            ("--buntime-source", self._config.getoption("buntime_source")),
            modes.environment_source(),
            ("buntime_source of the configuration file", self._config.getini("buntime_source")),
        )

    def start(self, item: pytest.Item) -> Buntime:
        """Open the case of a test and return its client."""
        from buntime.testing.modes import open_case

        marked = _marked(item)
        mode = self.mode(marked.get("mode"))
        path = _cassette(item)
        if mode == "record":
            self._refuse_shared(item, path)
        case = open_case(
            path,
            mode=mode,
            source=self.source(mode),
            allow_unplayed=marked.get("allow_unplayed", False),
            again=f"pytest --buntime-mode=record {shlex.quote(item.nodeid)}",
        )
        self._run = _Run(case, mode)
        return case.client

    @property
    def failed(self) -> bool:
        """Whether the test in progress has failed."""
        return self._run is not None and self._run.ended == "failed"

    def _refuse_shared(self, item: pytest.Item, path: Path) -> None:
        """Raise where another test would record the same cassette, by any worker of xdist."""
        if self._recorders is None:
            self._recorders = defaultdict(list)
            for other in item.session.items:
                self._recorders[self._records(other)].append(other.nodeid)
        same = self._recorders[_comparable(path)]
        if len(same) > 1:
            raise ConfigurationError(
                f"{path} would be recorded by {' and by '.join(same)}; give each a cassette of its own, "
                "or mode='replay' to all but one"
            )

    def _records(self, item: pytest.Item) -> Optional[str]:
        """Return what a test records, in a form that can be compared."""
        if "buntime_client" in getattr(item, "fixturenames", ()):
            with suppress(ConfigurationError):
                if self.mode(_marked(item).get("mode")) == "record":
                    return _comparable(_cassette(item))
        return None

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self) -> Generator[None, pluggy.Result[pytest.TestReport], None]:
        """Note how the test ended."""
        outcome = yield
        if self._run is None or self._run.ended:
            return
        report = outcome.get_result()
        if report.skipped and hasattr(report, "wasxfail"):
            self._run.ended = "xfailed"
        elif not report.passed:
            self._run.ended = "failed"
        elif report.when == "call":
            self._run.ended = "passed"

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, pluggy.Result[None], None]:
        """End the case after all fixtures, as they may still send something."""
        outcome = yield
        run, self._run = self._run, None
        if run is None:
            return
        # A test that fails as expected is recorded, but what it leaves unplayed is nobody's mistake.
        well = run.ended == "passed" or (run.ended == "xfailed" and run.mode == "record")
        if outcome.excinfo is None and well:
            try:
                run.case.finish()
            except (BuntimeError, OSError) as error:
                outcome.force_exception(pytest.fail.Exception(str(error), pytrace=False))
            return
        with suppress(BuntimeError, OSError):
            notes = run.case.abandon()
            if notes:
                item.add_report_section("teardown", "by buntime", "\n".join(notes))

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """Note the files of which not every test runs."""
        self._partial.update(item.path.resolve() for item in items)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Give up a test that Ctrl-C interrupted, and look for cassettes without a test."""
        run, self._run = self._run, None
        if run is not None:
            with suppress(BuntimeError, OSError):
                run.case.abandon()
        self._orphans.update(map(str, paths.orphans(self._expected(session))))
        told: Optional[dict[str, Any]] = getattr(self._config, "workeroutput", None)
        if told is not None:
            told[_ORPHANS] = sorted(self._orphans)

    def _expected(self, session: pytest.Session) -> dict[Path, set[Path]]:
        """Return the cassettes of the tests, by test file, for files whose tests were all collected."""
        # What --last-failed leaves out is not announced as deselected.
        if self._config.getoption("lf", default=False):
            return {}
        partial = self._partial | set(self._named_in_part())
        expected: dict[Path, set[Path]] = {}
        # A controller of xdist has no items: its workers look.
        for item in getattr(session, "items", ()):
            file = item.path.resolve()
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
        """Take over what a worker of xdist found."""
        self._orphans.update(getattr(node, "workeroutput", {}).get(_ORPHANS, ()))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """List the cassettes without a test."""
        if self._orphans:
            terminalreporter.section("cassettes of buntime without a test")
            for path in sorted(self._orphans):
                terminalreporter.write_line(os.path.relpath(path, self._config.invocation_params.dir))
            terminalreporter.write_line("Remove them, or name them: @pytest.mark.buntime(cassette=...)")


def _marked(item: pytest.Item) -> dict[str, Any]:
    """Return the arguments of the markers on a test; the nearest one wins."""
    found: dict[str, Any] = {}
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
            found[name] = value
    return found


def _cassette(item: pytest.Item) -> Path:
    """Return the path of a test's cassette."""
    named: Union[str, os.PathLike[str], None] = _marked(item).get("cassette")
    if named is not None:
        return item.path.parent / named
    classes = [node.name for node in item.listchain() if isinstance(node, pytest.Class)]
    function = getattr(item, "originalname", None) or item.name
    parameters = item.name[len(function) + 1 : -1] if item.name != function else None
    return paths.module_folder(item.path) / paths.file_name([*classes, function], parameters)


def _comparable(path: Path) -> str:
    return str(path.resolve()).casefold()
