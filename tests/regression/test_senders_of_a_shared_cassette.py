"""A fixture that tests share got the responses of a test, and a test those of such a fixture."""

from __future__ import annotations

import json

import pytest

from tests.unit.pytest_plugin.conftest import BACKWARDS, Project, project

pytest_plugins = ["pytester"]

__all__ = ["project"]

MODULE = """
import pytest

@pytest.fixture(scope="module", autouse=True)
def ending(buntime_module_session):
    buntime_module_session.files.write("name.txt", "a")
    yield
    assert buntime_module_session.files.read("name.txt") == "a"

def test_a(buntime_module_session):
    buntime_module_session.files.write("name.txt", "b")
    assert buntime_module_session.files.read("name.txt") == "b"
    buntime_module_session.files.write("name.txt", "a")

def test_b(buntime_module_session): buntime_module_session.execute("1")
"""
BY_NAME = """
import pytest

@pytest.fixture(scope="module")
def shared(buntime_module_client):
    return buntime_module_client.sessions.create()

def use(request, client, name):
    request.getfixturevalue("shared").files.write("name.txt", name)
    client.sessions.create().files.write("own.txt", name)

def test_a(request, buntime_module_client): use(request, buntime_module_client, "a")
def test_b(request, buntime_module_client): use(request, buntime_module_client, "b")
"""
FINALIZERS = """
def use(request, session, name):
    session.files.write("name.txt", name)

    def check():
        assert session.files.read("name.txt") == name

    request.addfinalizer(check)

def test_a(request, buntime_module_session): use(request, buntime_module_session, "a")
def test_b(request, buntime_module_session): use(request, buntime_module_session, "b")
"""
CLASSES = """
import pytest

@pytest.fixture(scope="class")
def session(buntime_module_client):
    with buntime_module_client.sessions.create() as session:
        yield session
        session.files.read("name.txt")

class TestA:
    def test_a(self, session): session.files.write("name.txt", "a")

class TestB:
    def test_b(self, session): session.files.write("name.txt", "b")
"""
FUNCTIONS = CLASSES.replace("class TestA:\n    ", "").replace("class TestB:\n    ", "").replace("self, ", "")
MODULES = CLASSES.replace("buntime_module", "buntime_session").replace('"class"', '"module"')


@pytest.mark.parametrize("source", [MODULE, BY_NAME, FINALIZERS, CLASSES, FUNCTIONS])
def test_each_test_replays_alone(project: Project, source: str) -> None:
    """So do all in another order, and a recording in that order changes back without a trace."""
    project.write(source)
    project.record().assert_outcomes(passed=2)
    before = project.cassettes()
    for order in ((), BACKWARDS):
        project.record(*order).assert_outcomes(passed=2)
        project.run().assert_outcomes(passed=2)
        project.run(*BACKWARDS).assert_outcomes(passed=2)
        for name in ("test_a", "test_b"):
            project.run("-k", name).assert_outcomes(passed=1, deselected=1)
    project.record().assert_outcomes(passed=2)
    assert before == project.cassettes()


def test_a_class_and_a_module_are_named(project: Project) -> None:
    """Unless the cassette is their own."""
    project.write(CLASSES)
    project.write(MODULES.replace("TestB", "TestC"), "folder/test_modules.py")
    project.record().assert_outcomes(passed=4)
    named = {
        name: [item["request"].get("test") for item in json.loads(content)["interactions"]]
        for name, content in project.cassettes().items()
    }
    module = "folder/test_modules.py"
    session = [module, f"{module}::TestA::test_a", f"{module}::TestC::test_b", module, module]
    assert {
        "cassettes/_session.json": session,
        "cassettes/test_it/_module.json": [
            *("TestA", "TestA::test_a", "TestA", "TestA"),
            *("TestB", "TestB::test_b", "TestB", "TestB"),
        ],
    } == named


def test_a_fixture_that_tests_share_from_now_on(project: Project) -> None:
    """A new recording takes the names of the tests away."""
    project.write(BY_NAME.replace('scope="module"', ""))
    project.record().assert_outcomes(passed=2)
    project.write(BY_NAME)
    project.record().assert_outcomes(passed=2)
    (content,) = project.cassettes().values()
    assert "test" not in json.loads(content)["interactions"][0]["request"]
