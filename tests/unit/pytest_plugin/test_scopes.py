"""Clients of classes, modules, packages and sessions, in separate test runs that record from a fake."""

from __future__ import annotations

from pathlib import Path

import pytest

from buntime.testing import cassette
from buntime.transport import FakeTransport
from tests.support import effort
from tests.unit.pytest_plugin.conftest import XDIST, Project

pytest_plugins = ["pytester"]

SETUP = """
import pytest
@pytest.fixture(scope="{scope}")
def service(buntime_{scope}_client):
    with buntime_{scope}_client.sessions.create() as session:
        session.execute("set_up()")
        yield session
        session.execute("tear_down()")
"""
TESTS = """
def test_one(service):
    assert "1\\n" == service.execute("1").stdout
def test_two(service):
    assert "2\\n" == service.execute("2").stdout
def test_three(service):
    assert "1\\n" == service.execute("1").stdout
"""
CLASS = "class TestAll:" + TESTS.replace("\n", "\n    ").replace("(service", "(self, service")
SOURCES = {scope: SETUP.format(scope=scope) + TESTS for scope in ("module", "package", "session")}
SOURCES["class"] = SETUP.format(scope="class") + CLASS
FILES = {
    "class": "cassettes/test_class/TestAll.json",
    "module": "cassettes/test_module/_module.json",
    "package": "cassettes/_package.json",
    "session": "cassettes/_session.json",
}
MODULE = "cassettes/test_it/_module.json"


@pytest.fixture
def scopes(project: Project) -> Project:
    """Return a project with a file for each scope, whose three tests share a session."""
    for scope, source in SOURCES.items():
        project.write(source, f"test_{scope}.py")
    project.write("", "__init__.py")
    return project


def _ids(test: str) -> list[str]:
    """Return the id of a test in each file."""
    return [f"test_{scope}.py::{'TestAll::' if scope == 'class' else ''}{test}" for scope in SOURCES]


def test_scope_has_one_cassette(scopes: Project) -> None:
    """It is recorded and replayed, and recording again changes nothing."""
    scopes.record().assert_outcomes(passed=12)
    recorded = scopes.cassettes()
    assert sorted(FILES.values()) == sorted(recorded)
    for content in recorded.values():
        assert 1 == content.count(b"set_up()") == content.count(b"tear_down()")
    scopes.run().assert_outcomes(passed=12)
    scopes.record().assert_outcomes(passed=12)
    assert recorded == scopes.cassettes()
    scopes.run("--buntime-mode=verify").assert_outcomes(passed=12)


def test_selection_replays(scopes: Project) -> None:
    """Interactions of tests that do not run may be unplayed."""
    scopes.record()
    deselected = [f"--deselect={name}" for name in _ids("test_one")]
    for selection, passed in (
        (["-k", "two"], 4),
        (deselected, 8),
        (["test_module.py", "test_session.py"], 6),
    ):
        result = scopes.run(*selection)
        assert (0, passed) == (result.ret, result.parseoutcomes()["passed"])
        assert "without a test" not in result.stdout.str()
        assert 0 == scopes.run("--buntime-mode=verify", *selection).ret


def test_single_test_replays(scopes: Project) -> None:
    """So may those of other tests than one that is named."""
    scopes.record()
    scopes.run(*_ids("test_two")).assert_outcomes(passed=4)
    scopes.run(_ids("test_two")[0]).assert_outcomes(passed=1)
    scopes.run("-p", "cacheprovider", "--lf").assert_outcomes(passed=12)


def test_selection_is_not_recorded(scopes: Project) -> None:
    """It would lose the interactions of the other tests, so the error names the command for all of them."""
    scopes.record()
    recorded = scopes.cassettes()
    for selection in (["-ktwo"], [f"--deselect={name}" for name in _ids("test_one")]):
        result = scopes.record(*selection)
        assert 0 == result.parseoutcomes().get("passed", 0)
        for scope in SOURCES:
            result.stdout.fnmatch_lines(
                [f"*belongs to all tests of the {scope}*to record them all: pytest --buntime-mode=record*"]
            )
        assert recorded == scopes.cassettes()


def test_unplayed_interactions_fail_when_all_tests_ran(scopes: Project) -> None:
    """They are reported once, after the last test, with the command that records the scope."""
    scopes.record()
    for scope, source in SOURCES.items():
        scopes.write(source.replace('service.execute("2").stdout', '"2\\n"'), f"test_{scope}.py")
    result = scopes.run()
    # The package ends with the session: their reports are one error.
    result.assert_outcomes(passed=12, errors=3)
    for file in FILES.values():
        name = file.rpartition("/")[2]
        result.stdout.fnmatch_lines([f"an interaction was not played of *{name}*", "*POST /execute*"])
    scopes.run("-k", "one or two").assert_outcomes(passed=8, deselected=4)


def test_failure_leaves_the_cassette(scopes: Project) -> None:
    """One failure among the tests of a scope is enough."""
    scopes.record()
    recorded = scopes.cassettes()
    for scope, source in SOURCES.items():
        failing = source.replace('"2\\n"', '"3\\n"').replace('execute("1")', 'execute("4")')
        scopes.write(failing, f"test_{scope}.py")
    result = scopes.record()
    assert 12 == result.parseoutcomes()["failed"]
    assert "errors" not in result.parseoutcomes()
    assert recorded == scopes.cassettes()


def test_skipped_tests_are_no_obstacle(project: Project) -> None:
    """Recording does not need them, and replay does not expect their interactions."""
    skipped = "@pytest.mark.skipif('config.option.verbose', reason='verbose')\n"
    project.write(SETUP.format(scope="module") + TESTS.replace("def test_two", f"{skipped}def test_two"))
    project.record("-v").assert_outcomes(passed=2, skipped=1)
    assert b'"2"' not in project.cassettes()[MODULE]
    project.record().assert_outcomes(passed=3)
    project.run("-v").assert_outcomes(passed=2, skipped=1)


def test_a_test_that_skips_itself_skips_in_replay(project: Project) -> None:
    """Its first recording is kept, and later ones that skip do not replace one that passed."""
    name = "cassettes/test_it/test_skips.json"
    source = "import pytest\ndef test_skips(buntime_session):\n    buntime_session.execute('1')\n"
    project.write(f"{source}    pytest.skip('no ffmpeg')")
    project.record().assert_outcomes(skipped=1)
    project.run().assert_outcomes(skipped=1)
    project.write(f"{source}    buntime_session.execute('2')")
    project.record().assert_outcomes(passed=1)
    before = project.cassettes()[name]
    project.write(f"{source}    pytest.skip('no ffmpeg')")
    project.record().assert_outcomes(skipped=1)
    assert before == project.cassettes()[name]


def test_a_test_that_asks_by_name_and_does_not_run(project: Project) -> None:
    """With ``-x``, or in another worker of xdist: it may use the cassette, although nothing shows that."""
    static = "def test_static(buntime_module_session): assert buntime_module_session.execute('1').ok\n"
    dynamic = "def test_dynamic(request): request.getfixturevalue('buntime_module_session').execute('2')\n"
    project.write(f"{static}def test_other(): pass\n{dynamic}")
    project.record().assert_outcomes(passed=3)
    recorded = project.cassettes()
    project.write(f"{static}def test_other(): assert False\n{dynamic}")
    project.run("-x").assert_outcomes(passed=1, failed=1)
    project.record("-x").assert_outcomes(passed=1, failed=1, errors=1)
    assert recorded == project.cassettes()
    project.write(f"{static}def test_other(request): pass\n")
    project.run().assert_outcomes(passed=2, errors=1)


def test_interleaved_modules_replay(project: Project) -> None:
    """In random order, a module begins several times; its interactions are played in the end."""
    for name in ("test_it.py", "test_other.py"):
        project.write(SETUP.format(scope="module") + TESTS, name)
    project.record().assert_outcomes(passed=6)
    project.write(
        "def pytest_collection_modifyitems(items): items.sort(key=lambda item: item.name)", "conftest.py"
    )
    project.run().assert_outcomes(passed=6)
    recorded = project.cassettes()
    result = project.record()
    result.assert_outcomes(errors=6)
    result.stdout.fnmatch_lines(["*_module.json is not recorded: * runs between the tests that share it*"])
    assert recorded == project.cassettes()
    project.write(SETUP.format(scope="module") + TESTS.replace('service.execute("2").stdout', '"2\\n"'))
    project.run().assert_outcomes(passed=6, errors=1)


def test_clients_of_both_services_share_the_tests_of_a_cassette(project: Project) -> None:
    """It is recorded with all of them or not at all, and is incomplete in replay until all of them ran."""
    project.write(
        "def test_box(runloop_module): assert runloop_module.devbox.create().cmd.exec('echo 1').success\n"
        "def test_session(buntime_module_session): assert buntime_module_session.execute('2').ok\n"
    )
    project.write("def test_other(): pass", "test_other.py")
    project.record().assert_outcomes(passed=3)
    recorded = project.cassettes()
    project.write(
        "def pytest_collection_modifyitems(items): items.sort(key=lambda item: item.name)", "conftest.py"
    )
    project.run().assert_outcomes(passed=3)
    project.record().assert_outcomes(passed=1, errors=2)
    assert recorded == project.cassettes()


def test_packages_have_their_own_cassettes(project: Project) -> None:
    """The cassette is beside the files of the package, also in a package within a package."""
    for folder in ("a", "a/b"):
        project.write("", f"{folder}/__init__.py")
        for name in ("test_x.py", "test_y.py"):
            source = "def test_run(buntime_package_session): assert buntime_package_session.execute('1').ok"
            project.write(source, f"{folder}/{name}")
    project.record().assert_outcomes(passed=4)
    assert ["a/b/cassettes/_package.json", "a/cassettes/_package.json"] == sorted(project.cassettes())
    project.run().assert_outcomes(passed=4)
    project.run("a/b").assert_outcomes(passed=2)
    project.run("a/test_x.py").assert_outcomes(passed=1)
    (project.path / "a" / "b" / "test_x.py").write_text("")
    project.run().assert_outcomes(passed=3, errors=1)


def test_a_package_within_a_package_fails_by_itself(project: Project) -> None:
    """The cassette of the outer package does not depend on tests that do not share it."""
    source = "def test_run(buntime_package_session): assert buntime_package_session.execute('1').ok"
    for folder in ("a", "a/z"):
        project.write("", f"{folder}/__init__.py")
        project.write(source, f"{folder}/test_x.py")
    project.write(f"{source}; assert False", "a/z/test_x.py")
    project.record().assert_outcomes(passed=1, failed=1)
    assert ["a/cassettes/_package.json"] == sorted(project.cassettes())


def test_nested_classes_have_their_own_cassettes(project: Project) -> None:
    """Pytest lends the fixture of a class to the classes in it, depending on which tests run before."""
    share = "(self, buntime_class_session): assert buntime_class_session.execute"
    inner = f"    class TestInner:\n        def test_inner{share}('2').ok\n"
    outer = f"    def test_outer{share}('1').ok\n"
    for name, parts in (("test_first.py", outer + inner), ("test_last.py", inner + outer)):
        project.write(f"class TestOuter:\n{parts}", name)
    project.record().assert_outcomes(passed=4)
    files = ["TestOuter.TestInner.json", "TestOuter.json"]
    names = [f"cassettes/{folder}/{file}" for folder in ("test_first", "test_last") for file in files]
    assert names == sorted(project.cassettes())
    project.run().assert_outcomes(passed=4)
    for name in ("test_first.py", "test_last.py"):
        project.run(f"{name}::TestOuter::TestInner").assert_outcomes(passed=1)
        project.run(f"{name}::TestOuter::test_outer").assert_outcomes(passed=1)


def test_nested_classes_use_the_fixture_of_the_project(project: Project) -> None:
    """One that overrides a fixture of the plugin applies to them, too."""
    project.write(
        "import pytest\n"
        "@pytest.fixture(scope='class')\n"
        "def buntime_class_client(buntime_class_client):\n"
        "    return ['own', buntime_class_client]\n",
        "conftest.py",
    )
    test = "def test_it(self, buntime_class_client): assert 'own' == buntime_class_client[0]\n"
    project.write(f"class TestOuter:\n    {test}    class TestInner:\n        {test}")
    project.record().assert_outcomes(passed=2)


def test_session_cassette_belongs_to_testpaths(project: Project) -> None:
    """Its interactions are expected if all paths in the configuration ran."""
    project.write(SETUP.format(scope="session") + TESTS)
    project.write(SETUP.format(scope="session") + TESTS, "more/test_more.py")
    project.write("[pytest]\ntestpaths = test_it.py more\n", "pytest.ini")
    project.record().assert_outcomes(passed=6)
    project.run("more").assert_outcomes(passed=3)
    project.run("more", "test_it.py").assert_outcomes(passed=6)
    assert "belongs to all tests" in project.record("more").stdout.str()


def test_shared_sessions(project: Project) -> None:
    """Each scope has a fixture for a session, which the tests of the scope share."""
    source = ""
    for scope in SOURCES:
        source += (
            f"def test_{scope}(buntime_{scope}_session): assert buntime_{scope}_session.execute('1').ok\n"
        )
    project.write("class TestAll:\n" + source.replace("def", "    def").replace("(b", "(self, b") + source)
    project.record().assert_outcomes(passed=8)
    project.run().assert_outcomes(passed=8)
    assert {MODULE, FILES["session"]} <= set(project.cassettes())


def test_class_fixture_outside_of_a_class(project: Project) -> None:
    """As in pytest, a function is its own class."""
    project.write("def test_one(buntime_class_session): assert buntime_class_session.execute('1').ok")
    project.record().assert_outcomes(passed=1)
    assert ["cassettes/test_it/test_one.json"] == list(project.cassettes())
    project.run("-k", "one").assert_outcomes(passed=1)


def test_unittest_class(project: Project) -> None:
    """A fixture of the class gives the client to a ``unittest.TestCase``, with subtests."""
    project.write("""
import unittest, pytest
@pytest.fixture(scope="class")
def session(request, buntime_class_session):
    request.cls.session = buntime_class_session
@pytest.mark.usefixtures("session")
class TestAll(unittest.TestCase):
    def test_one(self):
        for code in ("1", "2"):
            with self.subTest(code):
                self.assertEqual(code + "\\n", self.session.execute(code).stdout)
    def test_two(self):
        self.assertEqual("2\\n", self.session.execute("2").stdout)
""")
    assert 0 == project.record().ret
    assert ["cassettes/test_it/TestAll.json"] == list(project.cassettes())
    assert 0 == project.run().ret
    assert 0 == project.run("-k", "two").ret
    recorded = project.cassettes()
    source = (project.path / "test_it.py").read_text()
    project.write(source.replace('code + "', '"3').replace('("2")', '("3")'))
    assert 1 == project.record().ret
    assert recorded == project.cassettes()


def test_doctests(project: Project) -> None:
    """Doctests of Python and text files ask for the client, and their cassettes are not orphans."""
    example = ">>> getfixture('buntime_client').sessions.create().execute('1').stdout\n'1\\n'\n"
    shared = ">>> getfixture('buntime_module_client').sessions.create().execute('2').stdout\n'2\\n'\n"
    project.write(
        f'def f():\n    r"""\n    {example!s}    """\n'.replace("\n'1", "\n    '1"), "sample_page.py"
    )
    project.write(example.replace("\\n", "\\n") + shared, "sample.txt")
    options = ("-p", "doctest", "--doctest-modules", "--doctest-glob=*.txt")
    project.write("def test_plain(): pass")
    project.record(*options).assert_outcomes(passed=3)
    assert 3 == len(project.cassettes())
    result = project.run(*options)
    result.assert_outcomes(passed=3)
    assert "without a test" not in project.run("test_it.py").stdout.str() + result.stdout.str()


@pytest.mark.parametrize("dist", effort.sample(["load", "loadscope", "worksteal"], 2, 3))
def test_xdist_replays(project: Project, dist: str) -> None:
    """Each worker plays its part of the cassette."""
    for name in ("test_it.py", "test_other.py"):
        project.write(SETUP.format(scope="module") + TESTS, name)
    project.record().assert_outcomes(passed=6)
    project.run(*XDIST, f"--dist={dist}").assert_outcomes(passed=6)


SOURCE_OF_WORKERS = """
import buntime.testing.modes
from tests.support.cassettes import fake
buntime.testing.modes.make_transport = lambda *_: fake(stdout="1\\n")
"""


@pytest.mark.parametrize("dist", ["load", "loadfile"])
def test_xdist_records_one_file_in_one_worker(
    project: Project, monkeypatch: pytest.MonkeyPatch, dist: str
) -> None:
    """Tests that another worker has are an error with the option that avoids it, and nothing is damaged."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    project.write(SOURCE_OF_WORKERS, "conftest.py")
    source = SETUP.format(scope="module") + TESTS.replace("2\\n", "1\\n")
    project.write(source)
    project.record().assert_outcomes(passed=3)
    recorded = project.cassettes()
    result = project.record(*XDIST, f"--dist={dist}")
    if dist == "loadfile":
        result.assert_outcomes(passed=3)
    else:
        assert 1 == result.ret
        result.stdout.fnmatch_lines(["*record with --dist loadfile*"])
    assert recorded == project.cassettes()


def test_xdist_records_a_session_that_one_file_uses(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tests of other files that do not use it, such as those with ``capsys``, may be in another worker."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    project.write(SOURCE_OF_WORKERS, "conftest.py")
    project.write(SETUP.format(scope="session") + TESTS.replace("2\\n", "1\\n"))
    project.write("def test_capture(capsys): pass\n", "test_other.py")
    project.record(*XDIST, "--dist=loadfile").assert_outcomes(passed=4)
    assert ["_session.json"] == [Path(name).name for name in project.cassettes()]
    project.write("def test_name(request): pass\n", "test_other.py")
    project.record(*XDIST, "--dist=loadfile").assert_outcomes(passed=4, errors=1)


def test_second_recording_of_a_file(project: Project) -> None:
    """If another process records the cassette at the same time, the error shows how to avoid that."""
    project.write(SETUP.format(scope="module") + TESTS)
    project.record()
    recorded = project.cassettes()
    with cassette(project.path / MODULE, mode="record", source=FakeTransport):
        result = project.record()
        result.assert_outcomes(errors=3)
        result.stdout.fnmatch_lines(["*another recording of the same cassette*--dist loadfile*"])
        assert recorded[MODULE] == project.cassettes()[MODULE]


def test_rerun_of_a_test(project: Project) -> None:
    """The last attempt counts."""
    pytest.importorskip("pytest_rerunfailures")
    project.write("""
attempts = []
def test_one(buntime_session):
    attempts.append(buntime_session.execute("1").stdout)
    assert len(attempts) > 1
""")
    options = ("-p", "pytest_rerunfailures", "--reruns=2")
    assert 1 == project.record(*options).parseoutcomes()["rerun"]
    assert 1 == len(project.cassettes())
    project.run(*options).assert_outcomes(passed=1)


FLAKY = """
attempts = []
def test_one(service):
    assert "1\\n" == service.execute("1").stdout
@pytest.fixture
def file(service):
    service.files.write("a.txt", "a")
    yield service
    service.files.delete("a.txt")
def test_two(file):
    attempts.append(file.execute("2").stdout)
    file.execute(f"attempt({len(attempts)})" if FLAKY else "attempt(2)")
    assert len(attempts) > 1 or not FLAKY
"""


def test_rerun_in_a_shared_cassette(project: Project) -> None:
    """The cassette has the last attempt only, and each attempt of a replay starts at the same point."""
    pytest.importorskip("pytest_rerunfailures")
    source = SETUP.format(scope="module") + FLAKY
    project.write(f"FLAKY = True{source}")
    options = ("-p", "pytest_rerunfailures", "--reruns=2")
    result = project.record(*options)
    assert (2, 1) == (result.parseoutcomes()["passed"], result.parseoutcomes()["rerun"])
    recorded = project.cassettes()[MODULE]
    assert 1 == recorded.count(b"attempt(") == recorded.count(b'"code": "2"')
    project.write(f"FLAKY = False{source}")
    project.run().assert_outcomes(passed=2)
    project.record().assert_outcomes(passed=2)
    assert recorded == project.cassettes()[MODULE]
    project.write(f"FLAKY = True{source}".replace('f"attempt({len(attempts)})" if FLAKY else ', ""))
    assert 1 == project.run(*options).parseoutcomes()["rerun"]
    project.run(*options).assert_outcomes(passed=2)


RUNLOOP = """
import pytest
@pytest.fixture(scope="{scope}")
def devbox(runloop_{scope}):
    with runloop_{scope}.devbox.create() as devbox:
        yield devbox
def test_one(devbox):
    assert "1\\n" == devbox.cmd.exec("echo 1").stdout()
def test_two(devbox):
    assert "1\\n" == devbox.cmd.exec("echo 1").stdout()
"""


def test_runloop_in_every_scope(project: Project) -> None:
    """Each scope has one cassette, which is recorded and replayed."""
    for scope in ("class", "module", "package", "session"):
        project.write(RUNLOOP.format(scope=scope), f"{scope}s/test_{scope}.py")
        project.write("", f"{scope}s/__init__.py")
    project.record().assert_outcomes(passed=8)
    recorded = project.cassettes()
    names = ["test_class/test_one", "test_class/test_two", "test_module/_module", "_package"]
    folders = ["classs", "classs", "modules", "packages"]
    paths = [f"{folder}/cassettes/{name}.json" for folder, name in zip(folders, names)]
    assert {*paths, "cassettes/_session.json"} == set(recorded)
    project.run().assert_outcomes(passed=8)
    assert recorded == project.cassettes()


def test_clients_of_both_services_share_a_cassette(project: Project) -> None:
    """The last of the two fixtures ends it."""
    project.write("""
def test_both(runloop, buntime_session):
    with runloop.devbox.create() as devbox:
        assert "1\\n" == devbox.cmd.exec("echo 1").stdout()
    assert "2\\n" == buntime_session.execute("2").stdout
def test_runloop(runloop):
    with runloop.devbox.create() as devbox:
        assert "1\\n" == devbox.cmd.exec("echo 1").stdout()
""")
    project.record().assert_outcomes(passed=2)
    recorded = project.cassettes()
    assert {"cassettes/test_it/test_both.json", "cassettes/test_it/test_runloop.json"} == set(recorded)
    both = recorded["cassettes/test_it/test_both.json"]
    assert b"/v1/devboxes" in both
    assert b"/sessions/create" in both
    project.run().assert_outcomes(passed=2)
