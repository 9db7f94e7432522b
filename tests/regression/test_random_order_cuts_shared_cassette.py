"""A random order and pytest-xdist cut shared cassettes, and the error denied it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.pytest_plugin.conftest import XDIST, Project, project

pytest_plugins = ["pytester"]

__all__ = ["project"]

PACKAGE = """
def test_{name}(buntime_package_session):
    assert buntime_package_session.execute("{code}").ok
def test_plain_{name}(): pass
"""
MODULE = """
def test_{name}1(buntime_module_session): assert buntime_module_session.execute("1").ok
def test_{name}2(buntime_module_session): assert buntime_module_session.execute("2").ok
def test_{name}3(): pass
"""
ORDER = """
ORDER = {order}.split()
def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: ORDER.index(item.name.removeprefix("test_")))
"""
SOURCE = """
import buntime.testing.modes
from tests.support.cassettes import fake
buntime.testing.modes.make_transport = lambda *_: fake(stdout="1\\n")
"""
FILES = {
    "pkg/__init__.py": "",
    "pkg/test_p.py": PACKAGE.format(name="p", code="1"),
    "pkg/test_q.py": PACKAGE.format(name="q", code="2"),
    "test_a.py": MODULE.format(name="a"),
    "test_b.py": MODULE.format(name="b"),
}
INTERLEAVED = "p plain_p a1 b1 b3 a2 a3 b2 q plain_q"


def test_interleaved_tests_are_refused(project: Project) -> None:
    """Each test that shares a cassette fails with the cause, no other does, and nothing is written."""
    for name, source in FILES.items():
        project.write(source, name)
    project.record().assert_outcomes(passed=10)
    recorded = project.cassettes()
    project.write(ORDER.format(order=repr(INTERLEAVED)), "conftest.py")
    result = project.record()
    result.assert_outcomes(passed=4, errors=6)
    lines = ["*is not recorded: test_a.py::test_a1 runs between*", "*is not recorded: test_b.py::test_b1*"]
    result.stdout.fnmatch_lines([*lines, "*-p no:randomly*"])
    assert "xdist" not in result.stdout.str()
    assert recorded == project.cassettes()
    project.run().assert_outcomes(passed=10)
    selected = project.record("pkg/test_p.py", "pkg/test_q.py")
    selected.stdout.fnmatch_lines(["*belongs to all tests of the package*by names of tests or files*"])


def test_workers_of_xdist_write_no_part(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that gets tests of the package again does not record the rest of them."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    project.write(SOURCE, "conftest.py")
    for name, source in FILES.items():
        project.write(source, name)
    project.record().assert_outcomes(passed=10)
    recorded = project.cassettes()
    project.write(SOURCE + ORDER.format(order=repr("p plain_p a1 a2 a3 q plain_q b1 b2 b3")), "conftest.py")
    result = project.record(*XDIST[:4], "-n1")
    result.assert_outcomes(passed=9, errors=2)
    result.stdout.fnmatch_lines(["*1 of the 2 tests that can share it did not run in this process; *-n 0"])
    result.stdout.fnmatch_lines(["*it ended before this test*with pytest-xdist, record with -n 0"])
    assert recorded == project.cassettes()
