"""The cassettes of a test run: opened by fixtures, closed when the tests of their scope have ended."""

from __future__ import annotations

import inspect
import shlex
from collections import Counter, defaultdict
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, TypeVar

import pytest

from buntime.errors import BuntimeError, CassetteError, ConfigurationError
from buntime.pytest_plugin.current_test import CurrentTest, OpenCassette
from buntime.pytest_plugin.permission import Permission, with_xdist
from buntime.pytest_plugin.scopes import Node, Selection, cassette_of, may_ask, owners_of
from buntime.pytest_plugin.settings import RunSettings, fixture_settings, marker_settings, source_option
from buntime.testing.choice import Tests, advice

if TYPE_CHECKING:
    import pluggy

    from buntime.cassette.file import Cassette
    from buntime.pytest_plugin.reports import Reports
    from buntime.testing.modes import Case

C = TypeVar("C")


class Cassettes(Tests):
    """The cassettes of one run.

    A fixture opens a cassette. Its end only marks it, as a fixture that ends later may still fail: it is
    closed after the teardown of the test in which it ended, when the outcomes of all of its tests are known.
    """

    def __init__(self, config: pytest.Config, selection: Selection, reports: Optional[Reports]) -> None:
        self.settings: RunSettings = RunSettings(config)
        self._reports = reports
        self._failures: dict[str, str] = {}
        self._selection = selection
        self._open: list[OpenCassette] = []
        self._outcomes: dict[str, str] = {}
        self._played: defaultdict[Path, Counter[str]] = defaultdict(Counter)
        self._permission = Permission(config, selection)
        self.current: CurrentTest = CurrentTest(self._open)
        self._kept: Optional[Cassette] = None
        """The recording of the last ``cassette()`` block of the test."""
        self._shared_errors: list[str] = []
        """Errors of the shared cassettes that were closed after the test: a rerun does not correct them."""

    @contextmanager
    def open(self, request: pytest.FixtureRequest, config: object, kind: type[C]) -> Iterator[C]:
        """Open the cassette of a fixture and return its client; ``config`` is that of the user's fixture."""
        node: Node = request.node
        # A function outside of a class is its own class.
        scope = "function" if isinstance(node, pytest.Item) else str(request.scope)
        path = cassette_of(node, scope)
        tests = self._tests_of(node, scope)
        shared = (each for each in self._open if (each.path, each.node) == (path, node) and each.fixtures)
        opened = next(shared, None) or self._open_case(node, scope, path, tests, config, kind)
        client = opened.case.client(kind)
        opened.tests |= tests
        opened.fixtures += 1
        yield client
        opened.fixtures -= 1

    def _open_case(
        self, node: Node, scope: str, path: Path, tests: set[str], config: object, kind: type[Any]
    ) -> OpenCassette:
        from buntime.testing.modes import CaseSettings, open_case, resolve_once

        marker, configured = marker_settings(node), fixture_settings(config)
        mode = self.settings.mode(marker, configured)
        source = self.settings.source(mode, configured)
        command = self._rerecord_command(node, configured)
        if resolve_once(mode, path) == "record":
            self._permission.check(node, scope, path, tests, self.current.item, command)
        settings = CaseSettings(
            mode,
            source,
            advice(path, marker.get("mode"), "the marker buntime", command),
            allow_unplayed=marker.get("allow_unplayed", configured.get("allow_unplayed", False)),
            allow=self.settings.several("allow", marker, configured),
            ignore=self.settings.several("ignore", marker, configured),
            client=kind,
        )
        mode = resolve_once(mode, path)
        try:
            case = open_case(path, settings)
        except CassetteError as error:
            if mode == "record" and scope != "function":
                error.hint = f"The tests of a {scope} are recorded in one process; {with_xdist(scope)}"
            raise
        opened = OpenCassette(case, path, mode, node, scope)
        self._open.append(opened)
        self.current.name_sender(opened)
        return opened

    def has_failed(self, node: Node) -> bool:
        """Whether a test that shares the cassette of a node has failed."""
        tests = {test for opened in self._open if opened.node is node for test in opened.tests}
        return any(self._outcomes.get(test) == "failed" for test in tests)

    def _tests_of(self, node: Node, scope: str) -> set[str]:
        if isinstance(node, pytest.Item):
            return {node.nodeid}
        tests = self._selection.items_of(node, scope)
        sharing = {item.nodeid for item in tests if (node, scope) in owners_of(item)}
        # A test that asked for the fixture by its name shows that others may do so, too.
        is_listed = self.current.item is None or self.current.item.nodeid in sharing
        return sharing if is_listed else {item.nodeid for item in tests}

    def _all_tests(self, opened: OpenCassette) -> set[str]:
        """Return the tests that share a cassette, and those that can ask for its fixture by name."""
        items = [] if opened.scope == "function" else self._selection.items_of(opened.node, opened.scope)
        return opened.tests | {each.nodeid for each in items if may_ask(each)}

    def _rerecord_command(self, node: Node, configured: dict[str, Any]) -> str:
        options = ["--buntime-mode=record"]
        with suppress(ConfigurationError):  # of a source that replay does not use
            source = source_option(self.settings.source("record", configured))
            options += [source] if source else []
        target = [] if isinstance(node, pytest.Session) else [node.nodeid.removesuffix("/__init__.py")]
        return shlex.join(["pytest", *options, *target])

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Begin a test, perhaps again."""
        if not self.current.begin(item):
            self._shared_errors = []
        self._kept = None
        self._outcomes.pop(item.nodeid, None)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pluggy.Result[pytest.TestReport], None]:
        """Note the outcome of the test.

        A subtest has a report, too, which looks like that of the test. The test's report is the last
        one, so an outcome stands until the next report, except for a failure.
        """
        result = yield
        report = result.get_result()
        self.failures += report.failed
        if self._outcomes.get(item.nodeid) == "failed":
            return
        if report.failed:
            self._failures[item.nodeid] = report.longreprtext
        if report.skipped and hasattr(report, "wasxfail"):
            self._outcomes[item.nodeid] = "xfailed"
        elif not report.passed:
            self._outcomes[item.nodeid] = report.outcome
        elif report.when == "call":
            self._outcomes[item.nodeid] = "passed"

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, pluggy.Result[None], None]:
        """Close the cassettes that ended, after all fixtures: those may still send requests."""
        result = yield
        if result.excinfo is not None:
            self._outcomes[item.nodeid] = "failed"
        self._report(self._kept, {item.nodeid})
        errors = self._shared_errors + self._caught_mismatch(item, str(result.excinfo and result.excinfo[1]))
        for opened in [opened for opened in self._open if opened.has_ended]:
            self._open.remove(opened)
            recording = self._recording(opened.case)
            self._report(recording, opened.tests)
            try:
                notes = self._close(opened)
            except (BuntimeError, OSError) as error:
                errors.append(str(error))
                self._shared_errors += [str(error)] if opened.scope != "function" else []
                if self._reports is not None and recording is not None:
                    self._reports.write(recording, item.nodeid, str(error))
            else:
                if notes:
                    item.add_report_section("teardown", "by buntime", "\n".join(notes))
        if errors and result.excinfo is None:
            result.force_exception(pytest.fail.Exception("\n".join(dict.fromkeys(errors)), pytrace=False))

    def _caught_mismatch(self, item: pytest.Item, failure: str) -> list[str]:
        """Return the error of a test that passed with a mismatch; add it to a failure that shows none."""
        mismatches = [opened.case.pop_mismatch() for opened in self._open]
        mismatch = next((each for each in mismatches if each is not None), None)
        outcome = self._outcomes.get(item.nodeid)
        if mismatch is None or outcome not in {"passed", "failed"}:
            return []
        if outcome == "failed":
            if mismatch.splitlines()[0] not in self._failures.get(item.nodeid, "") + failure:
                item.add_report_section("teardown", "first mismatch with the cassette", mismatch)
            return []
        from buntime.testing.modes import CAUGHT
        from buntime.transport._frames import names_mismatch

        # A coroutine that waits for a thread is not on the stack of the mismatch.
        test = inspect.unwrap(getattr(item, "obj", lambda: None))
        if hasattr(test, "__code__") and names_mismatch(test.__code__):
            return []
        self._outcomes[item.nodeid] = "failed"
        self._failures[item.nodeid] = f"{CAUGHT}\n{mismatch}"
        return [self._failures[item.nodeid]]

    def keep_recording(self, case: Case) -> None:
        """Keep the recording of a block that ends, for the page of its test, if that fails."""
        self._kept = self._recording(case)

    def _recording(self, case: Case) -> Optional[Cassette]:
        """Return a recording, if pages are written, before the end of its case removes it."""
        with suppress(BuntimeError, OSError):
            return None if self._reports is None else case.recording()
        return None

    def _report(self, recording: Optional[Cassette], tests: set[str]) -> None:
        """Write the pages of those tests that failed; a case in the mode ``live`` has no recording."""
        for test in tests:
            if self._reports is not None and recording is not None and self._outcomes.get(test) == "failed":
                self._reports.write(recording, test, self._failures.get(test, ""))

    def _close(self, opened: OpenCassette) -> list[str]:
        """Close a cassette; return notes on tests that failed, or raise an error of one that passed."""
        case = opened.case
        outcomes = {self._outcomes.get(test, "") for test in opened.tests}
        tests = self._all_tests(opened)
        missing = tests - self._outcomes.keys()
        # A test that fails as expected is recorded, but unplayed interactions are not an error there.
        good = {"passed", "xfailed"} if opened.mode == "record" else {"passed"}
        if opened.mode == "record" and not opened.path.exists():
            good.add("skipped")  # without a cassette, it would fail in replay instead of skipping again
        if opened.scope != "function" and opened.mode == "record":
            self._permission.withdraw(opened.path, opened.scope)
        if "failed" in outcomes or (opened.scope == "function" and not outcomes <= good):
            with suppress(BuntimeError, OSError):
                return case.discard()
            return []
        if opened.scope != "function":
            # In random order, a scope may begin several times, each time with its cassette from the start.
            case.played = self._played[opened.path]
        if opened.mode != "record":
            has_all = not missing and self._selection.has_all_of(opened.node)
            case.is_complete = has_all and outcomes <= good
            case.commit()
        elif missing:
            case.discard()
            raise ConfigurationError(
                f"{opened.path} was left as it was: {len(missing)} of the {len(tests)} tests that can share "
                f"it did not run{self._permission.hint(opened.scope, ' in this process')}"
            )
        elif outcomes & good:
            case.commit()
        else:
            case.discard()
        return []

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Discard a recording that Ctrl-C interrupted."""
        while self._open:
            with suppress(BuntimeError, OSError):
                self._open.pop().case.discard()
