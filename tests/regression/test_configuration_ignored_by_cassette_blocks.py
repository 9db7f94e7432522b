"""``cassette()`` in a run of pytest ignored the configuration file, and its message named a wrong command."""

from __future__ import annotations

import pytest

from tests.unit.pytest_plugin.conftest import Project, project

pytest_plugins = ["pytester"]

__all__ = ["project"]

INI = """
[pytest]
buntime_source = {source}
buntime_mode = once
buntime_allow = ghp_a1B2
buntime_ignore =
    metadata.run
"""
TESTS = """
import unittest, uuid
from buntime.testing import cassette
KEY = "ghp_" + "a1B2" * 9
class Test(unittest.TestCase):
    def run_it(self, name, **options):
        with cassette(name, **options) as client:
            client.sessions.create(metadata={"run": str(uuid.uuid4())}).execute(f"use('{KEY}')")
    def test_default(self):
        self.run_it("default.json")
    def test_argument(self):
        self.run_it("argument.json", mode="replay")
    def test_more_rules(self):
        self.run_it("more.json", ignore="metadata.other")
"""


def test_configuration_applies_to_blocks(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mode, source, allow and ignore do; an argument and the command line win; the message shows the way."""
    project.write(TESTS)
    project.write(INI.format(source="local"), "pytest.ini")
    for _ in range(2):
        result = project.run()
        result.assert_outcomes(passed=2, failed=1)
        result.stdout.fnmatch_lines(["*argument.json does not exist*"])
    names = {path.name for path in project.path.glob("*.json")}
    assert {"default.json", "more.json"} == names
    (project.path / "more.json").unlink()
    result = project.run("--buntime-mode=replay")
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["*more.json does not exist. To record it: * --buntime-mode=record*"])
    project.write(INI.format(source="ftp"), "pytest.ini")
    result = project.record()
    result.stdout.fnmatch_lines(["*buntime_source of the configuration file is 'ftp'*"])
