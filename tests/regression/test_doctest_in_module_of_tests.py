"""A doctest that shared the cassette of its module could not be recorded in a module of tests."""

from __future__ import annotations

from pathlib import Path

from tests.unit.pytest_plugin.conftest import Project, project

pytest_plugins = ["pytester"]

__all__ = ["project"]

MODULE = '''
"""A module with tests and a doctest.

>>> getfixture("buntime_module_session").execute("1").exit_code
0
"""
def test_1(buntime_module_session): assert buntime_module_session.execute("2").ok
def test_2(buntime_module_session): assert buntime_module_session.execute("3").ok
'''


def test_a_doctest_in_a_module_of_tests_has_a_cassette_of_its_own(project: Project) -> None:
    """Pytest has two modules of one path for them: each is recorded, replayed and pruned."""
    project.write(MODULE)
    options = ("-p", "doctest", "--doctest-modules")
    project.record(*options).assert_outcomes(passed=3)
    assert ["_doctests.json", "_module.json"] == sorted(Path(each).name for each in project.cassettes())
    project.run(*options).assert_outcomes(passed=3)
    project.run(*options, "-k", "test_2").assert_outcomes(passed=1, deselected=2)
