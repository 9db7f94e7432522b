"""A project whose tests are recorded from a fake."""

from __future__ import annotations

import importlib
import pkgutil
from contextlib import suppress

import pluggy
import pytest

import buntime
from buntime.pytest_plugin import plugin
from buntime.testing import modes
from buntime.transport import FakeTransport

XDIST = ("-p", "buntime.pytest_plugin.plugin", "-p", "xdist", "-n2")
"""Arguments of a run with two workers, which load only the plugins that are named."""
BACKWARDS = ("-p", "tests.support.backwards")
"""Arguments of a run that begins with the last test."""

# A test that needs one of them passes ``-p`` with its name.
_UNUSED = (
    *("assertion", "cacheprovider", "doctest", "faulthandler", "junitxml", "legacypath", "logging"),
    *("monkeypatch", "pastebin", "recwarn", "setuponly", "setupplan", "stepwise", "tmpdir"),
)


@pytest.fixture(scope="session", autouse=True)
def _imported() -> None:
    """Import all modules: a run inside this process restores ``sys.modules``, and would import them again."""
    for module in pkgutil.walk_packages(buntime.__path__, "buntime."):
        if not module.name.endswith(("__main__", "tools.server")):  # that of MCP imports a framework
            with suppress(ImportError):  # of an extra that is not installed
                importlib.import_module(module.name)
    # It is looked up each time, for the header of pytest.
    setattr(pluggy, "__version__", pluggy.__version__)  # noqa: B010 - pluggy does not declare it


def run_tests(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Run tests in this process, with the plugin and without some of pytest's that cost time and do nothing.

    The plugin is an object: for a name, pytest reads the entry points of all installed packages.
    """
    blocked = [argument for name in _UNUSED for argument in ("-p", f"no:{name}")]
    return pytester.runpytest_inprocess(
        *blocked, "-Werror", *arguments, plugins=[plugin], no_reraise_ctrlc=True
    )


class Project:
    """A project of one test file, and runs of its tests in this process."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.path = pytester.path
        self._pytester = pytester

    def write(self, source: str, name: str = "test_it.py") -> None:
        """Write a file."""
        path = self.path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(source, encoding="utf-8")

    def run(self, *arguments: str) -> pytest.RunResult:
        """Run tests."""
        return run_tests(self._pytester, *arguments)

    def record(self, *arguments: str) -> pytest.RunResult:
        """Record tests."""
        return self.run("--buntime-mode=record", *arguments)

    def cassettes(self) -> dict[str, bytes]:
        """Return the contents of all files in folders of cassettes."""
        return {
            str(path.relative_to(self.path)): path.read_bytes()
            for path in self.path.rglob("cassettes/**/*")
            if path.is_file()
        }


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Return a project whose tests are recorded from a fake."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def source(chosen: object, _: object) -> object:
        if callable(chosen):
            return chosen()
        scripted = FakeTransport()
        scripted.on_execute(command="echo 1", stdout="1\n")
        scripted.on_execute("1", stdout="1\n")
        scripted.on_execute("2", stdout="2\n")
        scripted.on_execute(contains="", stdout="done\n")
        return scripted

    monkeypatch.setattr(modes, "make_transport", source)
    return Project(pytester)
