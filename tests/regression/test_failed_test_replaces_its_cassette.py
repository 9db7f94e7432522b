"""A failed test replaced its good cassette if one of its subtests passed."""

from __future__ import annotations

import pytest

from buntime.testing import modes
from tests.support.cassettes import fake
from tests.unit.pytest_plugin.conftest import run_tests

pytest_plugins = ["pytester"]

SOURCE = """
import pytest
def test_subtests(buntime_session, subtests):
    with subtests.test("first"):
        assert buntime_session.execute("console.log(1)").stdout == "done\\n"
    {end}
"""
ENDS = {
    "fails": "assert buntime_session.execute('console.log(2)').stdout == '3'",
    "skips": "buntime_session.execute('2'); pytest.skip('now')",
    "fails in another subtest": "\n".join(
        (
            "with subtests.test('second'): assert buntime_session.execute('2').stdout == '3'",
            "    with subtests.test('third'): assert buntime_session.execute('4').ok",
        )
    ),
}
PASSES = {
    "passes": "assert buntime_session.execute('console.log(2)').stdout == 'done\\n'",
    "skips a subtest": "with subtests.test('second'): pytest.skip('this one')",
}
NAME = "cassettes/test_it/test_subtests.json"


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Return a project whose tests are recorded from a fake."""
    if not hasattr(pytest, "Subtests"):
        pytest.skip("this pytest has no subtests")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setattr(modes, "make_transport", lambda *_: fake())
    return pytester


def _run(project: pytest.Pytester, end: str, *options: str) -> pytest.RunResult:
    (project.path / "test_it.py").write_text(SOURCE.format(end=end), encoding="utf-8")
    return run_tests(project, *options)


@pytest.mark.parametrize("end", PASSES)
def test_passing_test_is_recorded(project: pytest.Pytester, end: str) -> None:
    """The recording includes everything after the subtests."""
    assert 0 == _run(project, PASSES[end], "--buntime-mode=record").ret
    assert (project.path / NAME).exists()
    assert 0 == _run(project, PASSES[end]).ret


@pytest.mark.parametrize("end", ENDS)
def test_failing_test_keeps_its_cassette(project: pytest.Pytester, end: str) -> None:
    """The cassette stays unchanged, even if some subtests passed."""
    _run(project, PASSES["passes"], "--buntime-mode=record")
    before = (project.path / NAME).read_bytes()
    _run(project, ENDS[end], "--buntime-mode=record")
    assert before == (project.path / NAME).read_bytes()
    assert [] == list((project.path / "cassettes").rglob("*.part"))
