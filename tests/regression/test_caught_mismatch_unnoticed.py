"""A mismatch that the program caught did not fail its test, and a failed test did not show it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from buntime import Buntime, BuntimeError, CassetteError
from buntime.testing import cassette
from tests.support.cassettes import fake
from tests.unit.pytest_plugin.conftest import Project, project

pytest_plugins = ["pytester"]

__all__ = ["project"]

# A function below that names the class would expect mismatches.
ERROR = CassetteError

TESTS = """
import asyncio, threading, unittest
import buntime, pytest
from buntime import BuntimeError, SessionPool
NEW = {new!r}
def fall_back(session):
    try:
        return session.execute(NEW or "1").stdout
    except BuntimeError:
        return "none"
def test_passes(buntime_session):
    fall_back(buntime_session)
def run(session, code):
    return session.execute(code).stdout
def test_pool(buntime_client):
    with SessionPool(buntime_client, size=2) as pool:
        assert ["1\\n"] == [each.value for each in pool.map(run, [NEW or "1"])]
def test_shared_passes(buntime_module_session):
    fall_back(buntime_module_session)
    fall_back(buntime_module_session)
def test_shared_is_right(buntime_module_session):
    assert buntime_module_session.execute("2").ok
def test_raises(buntime_session):
    if NEW:
        with pytest.raises(buntime.CassetteMismatchError):
            buntime_session.execute(NEW)
def test_thread(buntime_session):
    errors = []
    def call():
        try:
            buntime_session.execute(NEW)
        except buntime.BuntimeError as error:
            errors.append(error)
    if NEW:
        thread = threading.Thread(target=call)
        thread.start()
        thread.join()
        assert isinstance(errors[0], buntime.CassetteMismatchError)
async def test_coroutine(buntime_session):
    waits = threading.Event()
    def call():
        waits.wait()
        buntime_session.execute(NEW)
    if NEW:
        asyncio.get_running_loop().call_soon(waits.set)
        with pytest.raises(buntime.CassetteMismatchError):
            await asyncio.to_thread(call)
@pytest.fixture
def case(request, buntime_session):
    request.instance.session = buntime_session
@pytest.mark.usefixtures("case")
class TestCase(unittest.TestCase):
    def test_assert_raises(self):
        if NEW:
            with self.assertRaises(buntime.CassetteMismatchError):
                self.session.execute(NEW)
def test_shows_it(buntime_session):
    if NEW:
        buntime_session.execute(NEW)
"""
CONFTEST = """
import asyncio, inspect
def pytest_pyfunc_call(pyfuncitem):
    if inspect.iscoroutinefunction(pyfuncitem.obj):
        asyncio.run(pyfuncitem.obj(pyfuncitem.funcargs["buntime_session"]))
        return True
"""
SHOWN = "the program caught a mismatch with the cassette and went on"


def test_mismatch_that_the_program_catches(project: Project) -> None:
    """A test that passed fails with it, a test that failed shows it once, and one that expects it passes."""
    project.write(CONFTEST, "conftest.py")
    project.write(TESTS.format(new=""))
    project.record().assert_outcomes(passed=9)
    project.run().assert_outcomes(passed=9)
    project.write(TESTS.format(new="new()"))
    result = project.run("--buntime-report=out")
    # test_pool and test_shows_it fail; test_passes and test_shared_passes fail at their end.
    result.assert_outcomes(passed=7, failed=2, errors=2)
    output = result.stdout.str()
    assert 2 == output.count(SHOWN)
    assert 1 == output.count("first mismatch with the cassette")
    assert "not played" not in output
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_passes*", "POST /execute: the cassette *"])
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_shared_passes*"])
    result.stdout.fnmatch_lines(["*_ test_pool _*", "*first mismatch*", "POST /execute: the cassette *"])
    pages = [page.read_text("utf-8") for page in (project.path / "out").glob("*test_passes*")]
    assert [True] == [SHOWN in page for page in pages]


def _call(client: Buntime) -> int:
    """Return 0 after a mismatch."""
    with client.sessions.create() as session:
        try:
            session.execute("new()")
        except BuntimeError:
            session.execute("1")
    return 0


def test_mismatch_in_a_block(tmp_path: Path) -> None:
    """The end of the block raises it; an error of the block has it as a note, if it does not show it."""
    path = tmp_path / "x.json"
    with cassette(path, mode="record", source=fake) as client, client.sessions.create() as session:
        session.execute("1")
    expected = rf"{SHOWN}.*\nPOST /execute: the cassette"
    with pytest.raises(ERROR, match=expected), cassette(path, mode="replay") as client:
        _call(client)
    with pytest.raises(ZeroDivisionError) as caught, cassette(path, mode="replay") as client:
        _call(client) or 1 / 0
    if sys.version_info >= (3, 11):
        (note,) = caught.value.__notes__
        assert note.startswith("POST /execute: the cassette")
    with pytest.raises(BuntimeError) as mismatch, cassette(path, mode="replay") as client:
        client.sessions.create().execute("new()")
    assert [] == getattr(mismatch.value, "__notes__", [])
