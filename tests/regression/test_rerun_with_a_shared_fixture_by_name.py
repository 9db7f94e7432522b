"""A repeated test lost the requests of a fixture that other tests share, if it had asked for it by name."""

from __future__ import annotations

import json

import pytest

from tests.unit.pytest_plugin.conftest import Project, project

pytest_plugins = ["pytester"]

__all__ = ["project"]

RERUNS = ("-p", "pytest_rerunfailures", "--reruns=1")
TESTS = """
import pytest

attempts = []

@pytest.fixture(scope="module")
def shared(buntime_module_client):
    return buntime_module_client.sessions.create()

def test_before(buntime_module_client): buntime_module_client.sessions.create(ttl=600)

def test_repeated(request):
    request.getfixturevalue("shared").files.write("name.txt", "a")
    attempts.append(1)
    assert len(attempts) > {failures}

def test_after(shared): shared.files.write("name.txt", "b")
"""


def test_rerun(project: Project) -> None:
    """The recording is that of a run without a failure, and replays with and without one."""
    pytest.importorskip("pytest_rerunfailures")
    project.write(TESTS.format(failures=1))
    project.record(*RERUNS).assert_outcomes(passed=3)
    (content,) = project.cassettes().values()
    requests = [item["request"] for item in json.loads(content)["interactions"]]
    assert [
        ("/sessions/create", "test_before"),
        ("/sessions/create", None),
        ("/files/write", "test_repeated"),
        ("/files/write", "test_after"),
    ] == [(request["path"], request.get("test")) for request in requests]
    project.run(*RERUNS).assert_outcomes(passed=3)
    project.write(TESTS.format(failures=0))
    project.run().assert_outcomes(passed=3)
