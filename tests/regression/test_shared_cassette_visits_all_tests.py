"""Each class with a cassette visited all tests of the run: 400 classes of 4,000 tests took two seconds."""

from __future__ import annotations

import pytest

from tests.support.cassettes import fake
from tests.unit.pytest_plugin.conftest import run_tests

pytest_plugins = ["pytester"]

CLASS = """
class Test{0}:
    def test_one(self, buntime_class_client): pass
    def test_two(self): pass
"""


def test_work_is_linear(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice the classes take twice the look-ups."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setattr("buntime.testing.modes.make_transport", lambda *_: fake())
    look_ups: list[object] = []
    get_parent = pytest.Function.getparent

    def counted(item: pytest.Function, kind: type[pytest.Collector]) -> object:
        look_ups.append(item)
        return get_parent(item, kind)

    monkeypatch.setattr(pytest.Function, "getparent", counted)
    counts = []
    for name, count in (("test_few.py", 10), ("test_many.py", 20)):
        (pytester.path / name).write_text("".join(map(CLASS.format, range(count))), encoding="utf-8")
        look_ups.clear()
        assert 0 == run_tests(pytester, "--buntime-mode=record", name).ret
        counts.append(len(look_ups))
    few, many = counts
    assert 0 < few < many <= 2 * few
