"""A failed test replaced its good cassette if its ``cassette()`` block did not see the failure."""

from __future__ import annotations

import io
import unittest
from pathlib import Path
from typing import Any

import pytest

from buntime.testing import cassette, modes
from tests.support.cassettes import fake, record
from tests.unit.pytest_plugin.conftest import run_tests

pytest_plugins = ["pytester"]

BLOCK = 'cassette("x.json", mode="record", source="local") as client, client.sessions.create() as session'
HEAD = "import pytest\nfrom buntime.testing import cassette\n"
FIXTURE = f"""{HEAD}
@pytest.fixture(scope="{{scope}}")
def session():
    with {BLOCK}:
        yield session
def test_one(session):
    assert session.execute("1").stdout == "{{expected}}\\n"
def test_two(session):
    assert session.execute("2").ok
"""
SUBTESTS = f"""{HEAD}
def test_one(subtests):
    with {BLOCK}:
        with subtests.test("first"):
            assert session.execute("1").stdout == "{{expected}}\\n"
        with subtests.test("second"):
            assert session.execute("2").ok
"""
SOURCES = {
    "a fixture of a test": (FIXTURE.replace("{scope}", "function"), ["test_it.py::test_one"]),
    "a fixture of a module": (FIXTURE.replace("{scope}", "module"), []),
    "a subtest": (SUBTESTS, []),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_pytest(kind: str, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a run in which the tests of the block pass replaces the cassette."""
    if kind == "a subtest" and not hasattr(pytest, "Subtests"):
        pytest.skip("this pytest has no subtests")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setattr(modes, "make_transport", lambda *_: fake())
    path = pytester.path / "x.json"
    record(path, lambda client: client.sessions.create().delete())
    before = path.read_bytes()
    source, selection = SOURCES[kind]
    for expected, is_kept in (("other", True), ("done", False)):
        (pytester.path / "test_it.py").write_text(source.replace("{expected}", expected), encoding="utf-8")
        assert is_kept == bool(run_tests(pytester, *selection).ret)
        assert is_kept == (before == path.read_bytes())
    assert [] == list(pytester.path.rglob("*.part"))


def test_each_block_sees_its_subtests(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if a subtest failed before the block."""
    if not hasattr(pytest, "Subtests"):
        pytest.skip("this pytest has no subtests")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setattr(modes, "make_transport", lambda *_: fake())
    block = f"    with {BLOCK}:\n        with subtests.test():\n            assert {{}}\n"
    blocks = [
        block.replace("x.json", f"{name}.json").format(holds)
        for name, holds in (("first", False), ("second", False), ("third", True))
    ]
    (pytester.path / "test_it.py").write_text(
        f"{HEAD}def test_one(subtests):\n{''.join(blocks)}", encoding="utf-8"
    )
    run_tests(pytester)
    assert ["third.json"] == [path.name for path in pytester.path.rglob("*.json*")]


UNITTEST = f"""
import contextlib, unittest
from buntime.testing import cassette
class Tests(unittest.TestCase):
    def test_clean_up(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        stack.enter_context(sessions()).execute("1")
        {{step}}
    def test_subtest(self):
        with sessions() as session:
            with self.subTest("first"):
                {{step}}
            with self.subTest("second"):
                assert session.execute("2").ok
@contextlib.contextmanager
def sessions():
    with {BLOCK}:
        yield session
"""
# The step of a test, and the tests in which it keeps the cassette as it was.
STEPS = {
    "pass": set(),
    "self.skipTest('')": {"test_clean_up"},
    "self.fail()": {"test_clean_up", "test_subtest"},
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("name", ["test_clean_up", "test_subtest"])
def test_both_runners(
    step: str, name: str, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A subtest that is skipped is not a failure; a clean-up sees how its test ended."""
    if not hasattr(pytest, "Subtests"):
        pytest.skip("a subtest that skips ends the test in this pytest")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setattr(modes, "make_transport", lambda *_: fake())
    source, path = UNITTEST.format(step=step), pytester.path / "x.json"
    (pytester.path / "test_it.py").write_text(source, encoding="utf-8")
    run_tests(pytester, "-k", name)
    assert (name in STEPS[step]) != path.exists()
    path.unlink(missing_ok=True)
    names: dict[str, Any] = {}
    exec(source, names)
    unittest.TextTestRunner(io.StringIO()).run(names["Tests"](name))
    assert (name in STEPS[step]) != path.exists()


def _tests(path: Path, expected: str) -> type[unittest.TestCase]:
    class Tests(unittest.TestCase):
        def test_subtest(self) -> None:
            """A subtest keeps its failure to itself."""
            with cassette(path, mode="record", source=fake) as client, client.sessions.create() as session:
                with self.subTest("first"):
                    assert expected == session.execute("1").stdout
                with self.subTest("second"):
                    assert session.execute("2").ok

    return Tests


def test_unittest(tmp_path: Path) -> None:
    """The test knows that a subtest failed."""
    path = tmp_path / "x.json"
    record(path, lambda client: client.sessions.create().delete())
    before = path.read_bytes()
    for expected, is_kept in (("other\n", True), ("done\n", False)):
        result = unittest.TextTestRunner(io.StringIO()).run(_tests(path, expected)("test_subtest"))
        assert is_kept != result.wasSuccessful()
        assert is_kept == (before == path.read_bytes())
    assert [path] == list(tmp_path.iterdir())
