"""A test that ran alone got the responses to equal requests of another test with the same cassette."""

from __future__ import annotations

import json

import pytest

from tests.unit.pytest_plugin.conftest import BACKWARDS, Project, project

pytest_plugins = ["pytester"]

__all__ = ["project"]

SESSIONS = """
def use(client, name):
    with client.sessions.create() as session:
        session.files.write("name.txt", name)

def test_a(buntime_module_client): use(buntime_module_client, "a")
def test_b(buntime_module_client): use(buntime_module_client, "b")
"""
FILES = """
def use(session, text):
    session.files.write("name.txt", text)
    assert session.files.read("name.txt") == text

def test_a(buntime_module_session): use(buntime_module_session, "a")
def test_b(buntime_module_session): use(buntime_module_session, "b")
"""
SECRETS = """
def use(client, password, name):
    with client.sessions.create(metadata={"password": password}) as session:
        session.files.write("name.txt", name)

def test_a(buntime_module_client): use(buntime_module_client, "k8Hq2Zp0Wd", "a")
def test_b(buntime_module_client): use(buntime_module_client, "Xw71pLdR9v", "b")
"""
PARAMETERS = """
import pytest

class TestBoth:
    @pytest.mark.parametrize("name", ["a", "b"])
    def test(self, buntime_session_client, name):
        with buntime_session_client.sessions.create() as session:
            session.files.write("name.txt", name)
"""
DEVBOXES = """
def use(runloop, name):
    with runloop.devbox.create() as devbox:
        devbox.file.write(file_path="name.txt", contents=name)
        assert devbox.cmd.exec("echo 1").success

def test_a(runloop_module): use(runloop_module, "a")
def test_b(runloop_module): use(runloop_module, "b")
"""
LAZY = """
import functools

@functools.lru_cache(None)
def shared(client):
    return client.sessions.create()

def test_a(buntime_module_client): shared(buntime_module_client).files.write("a.txt", "a")
def test_b(buntime_module_client): shared(buntime_module_client).files.write("b.txt", "b")
"""
IGNORING = """
import pytest

def only_request(request):
    assert {"method", "path"} <= request.keys() <= {"method", "path", "json"}

@pytest.fixture(scope="session")
def buntime_config():
    return {"ignore": only_request}

def test_a(buntime_module_session): buntime_module_session.execute("1")
"""
LATE = """
import pytest

class TestBoth:
    @pytest.fixture
    def session(self, request):
        with request.getfixturevalue("buntime_module_client").sessions.create() as session:
            yield session
            session.files.read("name.txt")

    def test_a(self, session): session.files.write("name.txt", "a")
    def test_b(self, session): session.files.write("name.txt", "b")
"""
NAMES = """
import pytest

@pytest.fixture
def written(buntime_module_session):
    yield
    buntime_module_session.files.write("b.txt", "b")

def test_a(written, buntime_module_session): buntime_module_session.files.write("a.txt", "a")

@pytest.mark.parametrize("key", ["Xw71pLdR9vQm"])
def test_b(buntime_module_session, key): buntime_module_session.execute("1", env={"KEY": key})
"""


@pytest.mark.parametrize("source", [SESSIONS, FILES, SECRETS, PARAMETERS, DEVBOXES, LATE])
def test_each_test_replays_alone(project: Project, source: str) -> None:
    """It gets what it recorded itself, and so do all of them in another order."""
    project.write(source)
    project.record().assert_outcomes(passed=2)
    for name in ("test_a or [a]", "test_b or [b]"):
        project.run("-k", name).assert_outcomes(passed=1, deselected=1)
    project.run(*BACKWARDS).assert_outcomes(passed=2)


def test_a_session_is_created_by_the_first_test(project: Project) -> None:
    """Another one creates it in another order, and gets the recorded one."""
    project.write(LAZY)
    project.record().assert_outcomes(passed=2)
    project.run("-k", "test_b").assert_outcomes(passed=1, deselected=1)


def test_a_new_recording_in_another_order(project: Project) -> None:
    """Each response belongs to the test that got it, and the order of before brings the same file back."""
    project.write(SESSIONS)
    project.record().assert_outcomes(passed=2)
    before = project.cassettes()
    project.record(*BACKWARDS).assert_outcomes(passed=2)
    assert before != project.cassettes()
    for name in ("test_a", "test_b"):
        project.run("-k", name).assert_outcomes(passed=1, deselected=1)
    project.record().assert_outcomes(passed=2)
    assert before == project.cassettes()


def test_a_new_name_is_not_a_difference(project: Project) -> None:
    """A test that was renamed gets the responses of its old name."""
    project.write(SESSIONS)
    project.record().assert_outcomes(passed=2)
    project.write(SESSIONS.replace("test_b", "test_c"))
    for mode in ("replay", "verify"):
        project.run(f"--buntime-mode={mode}").assert_outcomes(passed=2)


def test_only_a_shared_cassette_names_tests(project: Project) -> None:
    """The cassette of one test has no names, and a function of ``ignore=`` sees none."""
    project.write(SESSIONS.replace("module_client", "client"))
    project.record().assert_outcomes(passed=2)
    assert all(b'"test"' not in content for content in project.cassettes().values())
    project.write(IGNORING)
    project.record().assert_outcomes(passed=1)
    project.run().assert_outcomes(passed=1)


def test_names_are_those_of_tests(project: Project) -> None:
    """Requests of the fixtures of a module have none, and in a name there is no secret."""
    project.write(NAMES)
    project.record().assert_outcomes(passed=2)
    (content,) = project.cassettes().values()
    interactions = json.loads(content)["interactions"]
    named = [(item["request"]["path"], item["request"].get("test")) for item in interactions]
    assert [
        ("/sessions/create", None),
        ("/files/write", "test_a"),
        ("/files/write", "test_a"),
        ("/execute", "test_b[«env:KEY»]"),
        ("/sessions/ses_1", None),
    ] == named
    project.run("-k", "test_b").assert_outcomes(passed=1, deselected=1)
