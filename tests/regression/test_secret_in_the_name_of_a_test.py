"""A shared cassette was blocked for a key in the name of a test, or had an escaped secret in it."""

from __future__ import annotations

import json

import pytest

from tests.unit.pytest_plugin.conftest import Project, project

pytest_plugins = ["pytester"]

__all__ = ["project"]

TESTS = """
import pytest

@pytest.mark.parametrize("key", [{key!r}])
def test_key(buntime_module_session, key):
    buntime_module_session.execute("1")
    buntime_module_session.execute("2", env={env})

def test_plain(buntime_module_session): buntime_module_session.execute("1")
"""
KEY = "AKIA" + "IOSFODNN7RTYUIOP"


def _names(project: Project) -> list[str]:
    (content,) = project.cassettes().values()
    requests = [item["request"] for item in json.loads(content)["interactions"]]
    return [request.get("test", "") for request in requests if request["path"] == "/execute"]


@pytest.mark.parametrize("env", ["{}", "{'KEY': key}"])
def test_key_of_a_well_known_kind(project: Project, env: str) -> None:
    """The requests of such a test have no name."""
    project.write(TESTS.format(key=KEY, env=env))
    project.record().assert_outcomes(passed=2)
    assert ["", "", "test_plain"] == _names(project)
    project.run().assert_outcomes(passed=2)


@pytest.mark.parametrize(
    "key", ["pässwörd-1234", "пароль-12345", "pass🔑word-12", "back\\slash-12", "two\nlines-123"]
)
def test_secret_that_pytest_escapes(project: Project, key: str) -> None:
    """It is a placeholder, also in a request before the one that shows it to be a secret."""
    project.write(TESTS.format(key=key, env="{'KEY': key}"))
    project.record().assert_outcomes(passed=2)
    first, second, plain = _names(project)
    assert first == second
    assert first.startswith("test_key[«env:KEY")
    assert "test_plain" == plain
    project.run().assert_outcomes(passed=2)


def test_escapes_of_no_character(project: Project) -> None:
    """They stay as they are."""
    project.write(TESTS.format(key="\\x \ud800 \\Uffffffff", env="{}"))
    project.record().assert_outcomes(passed=2)
    assert r"test_key[\\x \ud800 \\Uffffffff]" == _names(project)[0]
    project.run().assert_outcomes(passed=2)
