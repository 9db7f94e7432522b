"""`pytest --lf --buntime-mode=record` refused tests that have their own cassette."""

from __future__ import annotations

import pytest

from buntime.testing import modes
from tests.support.cassettes import fake
from tests.unit.pytest_plugin.conftest import run_tests

pytest_plugins = ["pytester"]

# Each version has its own length, as Python takes a file of the same second and length for unchanged.
TEST = """
def test_changed(buntime_session):
    assert buntime_session.execute("{code}").stdout == "1\\n"

def test_unchanged(buntime_session):
    assert buntime_session.execute("1").stdout == "1\\n"
"""


def test_failed_tests_are_recorded_again(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only those run; and a replay of them plays their whole cassettes."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setattr(modes, "make_transport", lambda *_: fake(stdout="1\n"))

    def run(*arguments: str) -> dict[str, int]:
        result = run_tests(pytester, "-p", "cacheprovider", *arguments)
        return {name: count for name, count in result.parseoutcomes().items() if name != "warnings"}

    pytester.makepyfile(test_it=TEST.format(code="1"))
    assert {"passed": 2} == run("--buntime-mode=record")
    pytester.makepyfile(test_it=TEST.format(code="1 + 1"))
    assert {"failed": 1, "passed": 1} == run()
    assert {"passed": 1} == run("--lf", "--buntime-mode=record")
    assert {"passed": 2} == run()
