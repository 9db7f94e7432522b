"""The error of a shared cassette disappeared if pytest-rerunfailures repeated the last test of its scope."""

from __future__ import annotations

import pytest

from tests.unit.pytest_plugin.conftest import Project, project

pytest_plugins = ["pytester"]

__all__ = ["project"]

RERUNS = ("-p", "pytest_rerunfailures", "--reruns=2")
TESTS = """
def test_uses(buntime_module_session):
    buntime_module_session.execute("1")
    {further}
def test_last(): pass
"""
FURTHER = 'buntime_module_session.execute("2")'
TOKEN = "ghp_" + "a1B2" * 9


@pytest.mark.parametrize(
    ("further", "arguments", "error"),
    [
        ("", (), "an interaction was not played"),
        ("", ("--buntime-mode=verify",), "the program does not send as recorded"),
        (f"buntime_module_session.execute('//{TOKEN}')", ("--buntime-mode=record",), "GitHub token"),
    ],
)
def test_error_of_a_cassette_that_the_repeated_test_does_not_use(
    project: Project, further: str, arguments: tuple[str, ...], error: str
) -> None:
    """Each attempt of the last test reports it, as repeating that test cannot correct it."""
    pytest.importorskip("pytest_rerunfailures")
    project.write(TESTS.format(further=FURTHER))
    project.record().assert_outcomes(passed=2)
    recorded = project.cassettes()
    project.write(TESTS.format(further=further))
    result = project.run(*RERUNS, *arguments)
    assert (1, 2) == (result.parseoutcomes().get("errors"), result.parseoutcomes()["rerun"])
    result.stdout.fnmatch_lines([f"*{error}*"])
    assert recorded == project.cassettes()


def test_next_test_does_not_report_it(project: Project) -> None:
    """Only the test after which the cassette was closed has the error."""
    pytest.importorskip("pytest_rerunfailures")
    project.write(TESTS.format(further=FURTHER), "test_a.py")
    project.record().assert_outcomes(passed=2)
    project.write(TESTS.format(further=""), "test_a.py")
    project.write("def test_other(): pass", "test_b.py")
    result = project.run(*RERUNS)
    assert (1, 2) == (result.parseoutcomes().get("errors"), result.parseoutcomes()["rerun"])
    result.stdout.fnmatch_lines(["ERROR test_a.py::test_last*"])
    result.stdout.no_fnmatch_line("ERROR test_b.py*")
