"""The pytest plugin, in separate test runs that record from a server on this machine."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.serving import buntime_serve
from tests.unit.pytest_plugin.conftest import BACKWARDS, XDIST, run_tests

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[3]

PASSES = """
def test_hello(buntime_session):
    assert "hello\\n" == buntime_session.execute("hello()").stdout
"""
HELLO = "cassettes/test_it/test_hello.json"


@pytest.fixture(scope="module", autouse=True)
def served_url() -> Iterator[str]:
    """Serve a fake that responds to every execution, started before the fixture that detects leaks."""
    with buntime_serve("--fake", "tests.support.served_fakes:hello", "--api-key", "btk_1") as server:
        yield server.url


class Project:
    """A project of one test file, and runs of its tests."""

    def __init__(self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
        self.path = pytester.path
        self._pytester = pytester
        self._monkeypatch = monkeypatch
        self._url = url
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def write(self, source: str, name: str = "test_it") -> None:
        """Write a test file."""
        (self.path / f"{name}.py").write_text(source, encoding="utf-8")

    def online(self, *arguments: str) -> pytest.RunResult:
        """Run the tests with access to the service."""
        with self._monkeypatch.context() as patched:
            patched.setenv("BUNTIME_API_KEY", "btk_1")
            patched.setenv("BUNTIME_BASE_URL", self._url)
            return self.run(*arguments)

    def record(self, *arguments: str) -> pytest.RunResult:
        """Record the tests, all of which pass."""
        result = self.online("--buntime-mode=record", *arguments)
        assert 0 == result.ret
        return result

    def offline(self, *arguments: str) -> pytest.RunResult:
        """Run the tests without sockets and without a key."""
        with self._monkeypatch.context() as patched:
            patched.setattr(socket, "socket", _raise)
            return self.run(*arguments)

    def run(self, *arguments: str) -> pytest.RunResult:
        """Run the tests."""
        return run_tests(self._pytester, "--strict-markers", *arguments)

    def cassettes(self) -> list[str]:
        """Return the files in the folders of cassettes."""
        return sorted(
            str(path.relative_to(self.path)) for path in self.path.rglob("cassettes/**/*") if path.is_file()
        )

    def change(self, before: str, after: str, cassette: str = HELLO) -> None:
        """Replace a text in a cassette."""
        path = self.path / cassette
        text = path.read_text(encoding="utf-8")
        assert before in text
        path.write_text(text.replace(before, after), encoding="utf-8")


def _raise(*_: Any, **__: Any) -> Any:
    raise AssertionError("a socket was made")


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, served_url: str) -> Project:
    """Return a project whose test passes."""
    created = Project(pytester, monkeypatch, served_url)
    created.write(PASSES)
    return created


def test_a_test_is_recorded_once_and_replayed_without_network(project: Project) -> None:
    """The cassette is beside the test file, and the deletion of the session is part of it."""
    project.record()
    assert [HELLO] == project.cassettes()
    assert "DELETE" in (project.path / HELLO).read_text()
    project.offline().assert_outcomes(passed=1)


def test_a_key_and_a_server_make_no_difference_to_replay(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other variables make none either."""
    project.record()
    monkeypatch.setenv("BUNTIME_API_KEY", "btk_another")
    monkeypatch.setenv("BUNTIME_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("BUNTIME_TRANSPORT", "nonsense")
    project.offline().assert_outcomes(passed=1)


def test_recording_again_changes_nothing(project: Project) -> None:
    """The cassette of an unchanged test stays identical to the byte."""
    project.record()
    before = (project.path / HELLO).read_bytes()
    project.record()
    assert before == (project.path / HELLO).read_bytes()


def test_a_missing_cassette(project: Project) -> None:
    """The error shows the command that records it, and no request is sent."""
    result = project.offline()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["the cassette *test_hello.json does not exist. To record it: pytest --buntime-mode=record *"]
    )
    assert [] == project.cassettes()


def test_changed_code_names_the_line(project: Project) -> None:
    """The failure shows the recorded and the sent code."""
    project.record()
    project.write(PASSES.replace("hello()", "goodbye()"))
    result = project.offline()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*-*hello()*", "*+*goodbye()*"])


def test_a_failed_test_leaves_its_cassette_unchanged(project: Project) -> None:
    """No other file is written."""
    project.record()
    before = (project.path / HELLO).read_bytes()
    project.write(PASSES.replace("hello()", "other()"))
    result = project.online("--buntime-mode=record")
    result.assert_outcomes(failed=1)
    assert [HELLO] == project.cassettes()
    assert before == (project.path / HELLO).read_bytes()


_FAILS_BEFORE = """
@pytest.fixture
def late(buntime_session):
    buntime_session.execute("2")
    raise OSError
def test_hello(late): pass
"""
_FAILS_AFTER = """
@pytest.fixture
def late(buntime_session):
    yield
    raise OSError
def test_hello(late, buntime_session): buntime_session.execute("3")
"""


def test_a_test_that_does_not_pass_is_not_recorded(project: Project) -> None:
    """Failures of fixtures count, too."""
    for name, source in {"before": _FAILS_BEFORE, "it": _FAILS_AFTER}.items():
        project.write(f"import pytest\n{source}", f"test_{name}")
    result = project.online("--buntime-mode=record")
    result.assert_outcomes(passed=1, errors=2)
    assert [] == project.cassettes()


def test_a_test_that_fails_as_expected_is_recorded(project: Project) -> None:
    """It is replayed, too."""
    project.write(
        f"import pytest\n@pytest.mark.xfail(strict=True)\n{PASSES.lstrip().replace('hello()', '1')}"
    )
    project.record().assert_outcomes(xfailed=1)
    assert [HELLO] == project.cassettes()
    project.offline().assert_outcomes(xfailed=1)


def test_unplayed_interactions_fail_a_test_that_passed(project: Project) -> None:
    """They are listed, with the command that records the test again."""
    project.write(PASSES + '    buntime_session.execute("more()")\n')
    project.record()
    project.write(PASSES)
    result = project.offline()
    result.assert_outcomes(passed=1, errors=1)
    assert 1 == result.ret
    result.stdout.fnmatch_lines(["*not played*", "*POST /execute*", "*pytest --buntime-mode=record *"])


def test_unplayed_interactions_may_be_allowed(project: Project) -> None:
    """The marker sets it for its test."""
    project.write(PASSES + '    buntime_session.execute("more()")\n')
    project.record()
    project.write(f"import pytest\n@pytest.mark.buntime(allow_unplayed=True)\n{PASSES.lstrip()}")
    project.offline().assert_outcomes(passed=1)


def test_a_failure_is_reported_alone(project: Project) -> None:
    """Neither its unplayed interactions nor its undeleted session is reported as another error."""
    project.record()
    project.write(PASSES.replace('"hello()"', '"hello(2)"'))
    project.offline().assert_outcomes(failed=1)
    project.write("def test_hello(buntime_session):\n    buntime_session.delete()\n    assert False\n")
    project.offline().assert_outcomes(failed=1)


def test_a_session_that_cannot_be_deleted(project: Project) -> None:
    """It is an error after a test that passed, and is not reported after one that failed."""
    project.record()
    project.change('"DELETE"', '"PATCH"')
    project.offline().assert_outcomes(passed=1, errors=1)
    project.write(PASSES + "    assert False\n")
    project.offline().assert_outcomes(failed=1)


def test_verify_agrees(project: Project) -> None:
    """The test runs against the service, and no file is written."""
    project.record()
    path = project.path / HELLO
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    project.online("--buntime-mode=verify").assert_outcomes(passed=1)
    assert before == (path.read_bytes(), path.stat().st_mtime_ns)
    assert [HELLO] == project.cassettes()


def test_verify_shows_the_difference(project: Project) -> None:
    """The difference is reported even if the test passes."""
    project.write('def test_hello(buntime_session):\n    assert buntime_session.execute("hello()").ok\n')
    project.record()
    project.change('"stdout": "hello', '"stdout": "hullo')
    before = (project.path / HELLO).read_bytes()
    result = project.online("--buntime-mode=verify")
    assert 1 == result.ret
    result.stdout.fnmatch_lines(
        ["*does not answer as recorded in *test_hello.json:*", "-*hullo*", "+*hello*"]
    )
    assert before == (project.path / HELLO).read_bytes()
    assert [HELLO] == project.cassettes()


def test_verify_shows_the_difference_beside_a_failure(project: Project) -> None:
    """It explains the failure."""
    project.record()
    project.change('"stdout": "hello', '"stdout": "hullo')
    project.write(PASSES.replace('"hello', '"hullo', 1))
    result = project.online("--buntime-mode=verify")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*by buntime*", "-*hullo*", "+*hello*"])


def test_verify_needs_a_cassette(project: Project) -> None:
    """It creates none."""
    result = project.online("--buntime-mode=verify")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["the cassette * does not exist. To record it: *"])
    assert [] == project.cassettes()


def test_live_has_no_cassette(project: Project) -> None:
    """Live mode neither needs nor creates one."""
    project.online("--buntime-mode=live").assert_outcomes(passed=1)
    assert [] == project.cassettes()


def test_without_a_key_nothing_is_recorded(project: Project) -> None:
    """The error shows the variable to set and the source that needs no key."""
    result = project.offline("--buntime-mode=record")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*BUNTIME_API_KEY*BUNTIME_TRANSPORT=local*"])


@pytest.mark.skipif(sys.platform != "linux", reason="local sandboxes need Linux")
def test_the_local_source_needs_no_key(project: Project) -> None:
    """It records a Bun on this machine."""
    project.write(PASSES.replace("hello()", "console.log('hello')"))
    project.run("--buntime-mode=record", "--buntime-source=local").assert_outcomes(passed=1)
    project.offline().assert_outcomes(passed=1)


OPENS_ITS_OWN = """
import unittest
from pathlib import Path
from buntime.testing import cassette
class Test(unittest.TestCase):
    def test_hello(self):
        with cassette(Path(__file__).with_name("own.json")) as client, client.sessions.create() as session:
            self.assertEqual("hello\\n", session.execute("hello()").stdout)
"""


def test_a_cassette_that_a_test_opens_itself(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line applies to it too, whatever the environment has; and only during its own run."""
    project.write(OPENS_ITS_OWN)
    project.record()
    assert (project.path / "own.json").is_file()
    monkeypatch.setenv("BUNTIME_MODE", "live")
    project.offline().assert_outcomes(failed=1)
    project.offline("--buntime-mode=replay").assert_outcomes(passed=1)
    project.online("--buntime-mode=verify").assert_outcomes(passed=1)
    monkeypatch.delenv("BUNTIME_MODE")
    project.offline("--buntime-source=local").assert_outcomes(passed=1)
    project.run("--buntime-mode=record", "--buntime-source=local", "-k", "nothing")
    project.offline().assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        ([], {}, "buntime: mode replay, no network"),
        (["--buntime-mode=record"], {}, "buntime: mode record, source http"),
        (["--buntime-mode=verify", "--buntime-source=local"], {}, "buntime: mode verify, source local"),
        (["--buntime-mode=live"], {"BUNTIME_TRANSPORT": "local"}, "buntime: mode live, source local"),
        ([], {"BUNTIME_MODE": "record"}, "buntime: mode record, source http"),
        (["--buntime-mode=replay"], {"BUNTIME_MODE": "record"}, "buntime: mode replay, no network"),
        ([], {"BUNTIME_MODE": "fly"}, "buntime: BUNTIME_MODE is 'fly'; it can be 'replay', *"),
        (["-obuntime_mode=live", "-obuntime_source=local"], {}, "buntime: mode live, source local"),
        (["-obuntime_mode=live", "--buntime-mode=verify"], {}, "buntime: mode verify, source http"),
        (["-obuntime_mode=fly"], {}, "buntime: buntime_mode of the configuration file is 'fly'; *"),
    ],
)
def test_the_header_shows_the_mode(
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    environment: dict[str, str],
    message: str,
) -> None:
    """The command line wins over the environment, which wins over the configuration file."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    project.write("def test_nothing(): pass")
    result = project.offline(*arguments)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines([message])


def test_an_invalid_option_is_a_usage_error(project: Project) -> None:
    """It is reported like an invalid value of any option of pytest."""
    assert pytest.ExitCode.USAGE_ERROR == project.offline("--buntime-mode=fly").ret


def test_the_mode_of_a_marker(project: Project) -> None:
    """It applies to its test, unless the command line requests replay."""
    project.record()
    before = (project.path / HELLO).read_bytes()
    project.write(f"import pytest\n@pytest.mark.buntime(mode='replay')\n{PASSES.lstrip()}")
    project.offline("--buntime-mode=record").assert_outcomes(passed=1)
    assert before == (project.path / HELLO).read_bytes()
    project.write(f"import pytest\n@pytest.mark.buntime(mode='live')\n{PASSES.lstrip()}")
    project.online().assert_outcomes(passed=1)
    project.offline("--buntime-mode=replay").assert_outcomes(passed=1)


def test_a_cassette_of_another_name(project: Project) -> None:
    """Its path is relative to the test file, and the nearest marker wins."""
    project.write(
        "import pytest\npytestmark = pytest.mark.buntime(cassette='all.json', allow_unplayed=True)\n"
        f"@pytest.mark.buntime(cassette='tapes/own.json'){PASSES}"
    )
    project.record()
    assert (project.path / "tapes" / "own.json").is_file()
    assert not (project.path / "all.json").exists()
    project.offline().assert_outcomes(passed=1)


_INVALID_MARKERS = (
    ("'x.json'", "*takes cassette=, mode=, allow_unplayed=, allow=, ignore= and not 'x.json'*"),
    ("tape='x.json'", "*and not tape*"),
    ("cassette=None, mode='fly'", "mode= of the marker buntime is 'fly'; *"),
    ("cassette=1", "cassette= of the marker buntime must be a str or PathLike, not int"),
    ("allow_unplayed='no'", "allow_unplayed= *must be a bool, not str"),
)


def test_an_invalid_marker(project: Project) -> None:
    """It is reported before a request is sent."""
    tests = [
        f"@pytest.mark.buntime({marker}){PASSES.replace('test_hello', f'test_{number}')}"
        for number, (marker, _) in enumerate(_INVALID_MARKERS)
    ]
    project.write("import pytest\n" + "".join(tests))
    result = project.offline()
    result.assert_outcomes(errors=len(tests))
    result.stdout.fnmatch_lines([message for _, message in _INVALID_MARKERS])


def test_two_tests_may_not_record_one_cassette(project: Project) -> None:
    """The second would overwrite the first, so both report an error; replaying it is allowed."""
    shared = "@pytest.mark.buntime(cassette='shared.json')\n"
    both = PASSES.lstrip() + shared + PASSES.lstrip().replace("test_hello", "test_again")
    project.write(f"import pytest\n{shared}{both}")
    result = project.online("--buntime-mode=record")
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["*shared.json would be recorded by *test_hello and by *test_again*"])
    project.record("-k", "hello")
    project.offline().assert_outcomes(passed=2)


_IDS = ["1", "a b", "a/b", "..", "A", "a", "é", "\\n", "x" * 300, "x" * 301, "CON", "a:b*?", "ses-1", "a-b"]


def test_every_parametrisation_has_its_own_name(project: Project) -> None:
    """Names differ even if a file system ignores case, or rejects such characters or lengths."""
    project.write(
        f"""
import pytest
class TestThings:
    @pytest.mark.parametrize("word", range({len(_IDS)}), ids={_IDS!r})
    def test_word(self, buntime_session, word):
        assert buntime_session.execute(f"word({{word}})").ok
"""
    )
    project.record().assert_outcomes(passed=len(_IDS))
    names = [os.path.basename(path) for path in project.cassettes()]
    assert len(_IDS) == len({name.casefold() for name in names})
    assert all(name.isascii() and len(name) <= 130 and not set(name) & set(' /:*?[]"') for name in names)
    assert {"TestThings.test_word-1.json", "TestThings.test_word-a-b.json"} <= set(names)
    project.offline().assert_outcomes(passed=len(_IDS))


THREE = "".join(PASSES.replace("test_hello", f"test_{name}") for name in ("one", "two", "three"))


def test_order_does_not_matter(project: Project) -> None:
    """Each test has its own cassette."""
    project.write(THREE)
    project.record()
    project.offline(*BACKWARDS).assert_outcomes(passed=3)


def test_workers_of_xdist_record_and_replay(project: Project) -> None:
    """Orphans are listed once."""
    project.write(THREE)
    project.record(*XDIST).assert_outcomes(passed=3)
    assert 3 == len(project.cassettes())
    recorded = project.path / "cassettes" / "test_it" / "test_three.json"
    shutil.copy(recorded, recorded.with_name("test_four.json"))
    result = project.offline(*XDIST)
    result.assert_outcomes(passed=3)
    assert 1 == result.stdout.str().count("test_four.json")


def test_orphans_are_listed(project: Project) -> None:
    """They are cassettes of removed tests and test files; the run passes."""
    project.write(THREE)
    project.write(PASSES, "test_gone")
    project.record()
    project.write(PASSES)
    (project.path / "test_gone.py").unlink()
    project.record()
    result = project.offline()
    assert 0 == result.ret
    result.stdout.fnmatch_lines(
        [
            "*cassettes of buntime without a test*",
            "cassettes/test_gone/test_hello.json",
            "cassettes/test_it/test_one.json",
            "cassettes/test_it/test_three.json",
            "cassettes/test_it/test_two.json",
        ]
    )
    assert HELLO not in result.stdout.str()


def test_a_selection_of_tests_lists_no_orphans(project: Project) -> None:
    """Orphans are known only for a file all of whose tests were collected."""
    project.write(THREE)
    project.record()
    project.write(THREE.replace('"hello', '"hullo', 1))
    project.offline("-p", "cacheprovider").assert_outcomes(failed=1, passed=2)
    for selection in (
        ["-k", "one"],
        ["test_it.py::test_one"],
        ["--deselect", "test_it.py::test_two"],
        ["-p", "cacheprovider", "--lf"],
    ):
        result = project.offline(*selection)
        assert 1 == result.parseoutcomes()["failed"]
        assert "without a test" not in result.stdout.str()


def test_files_of_other_libraries_are_not_orphans(project: Project) -> None:
    """Other libraries store their cassettes in the same folder."""
    project.record()
    other = project.path / "cassettes" / "test_it" / "test_other.json"
    other.write_text('{"version": 1, "interactions": []}', encoding="utf-8")
    other.with_name("test_bytes.json").write_bytes(b"\xff\xfe")
    assert "without a test" not in project.offline().stdout.str()


def test_the_client_may_be_closed_by_the_test(project: Project) -> None:
    """The recording still ends with the test."""
    project.write(
        """
def test_hello(buntime_client):
    with buntime_client as client:
        session = client.sessions.create()
    session.delete()
"""
    )
    project.record()
    project.offline().assert_outcomes(passed=1)
    assert "DELETE" in (project.path / HELLO).read_text()


def test_requests_of_a_fixture_after_the_test_are_recorded(project: Project) -> None:
    """Fixtures that depend on the client end before the cassette."""
    project.write(
        """
import pytest
@pytest.fixture
def job(buntime_session):
    yield buntime_session
    buntime_session.execute("clean_up()")
def test_hello(job):
    assert job.execute("hello()").ok
"""
    )
    project.record()
    assert "clean_up()" in (project.path / HELLO).read_text()
    project.offline().assert_outcomes(passed=1)


def test_an_interruption_leaves_the_cassette_unchanged(project: Project) -> None:
    """Ctrl-C in a test discards its recording like a failure."""
    project.record()
    before = (project.path / HELLO).read_bytes()
    project.write("def test_hello(buntime_session):\n    raise KeyboardInterrupt\n")
    assert pytest.ExitCode.INTERRUPTED == project.online("--buntime-mode=record").ret
    assert [HELLO] == project.cassettes()
    assert before == (project.path / HELLO).read_bytes()


def test_other_projects_are_not_affected(project: Project) -> None:
    """No fixture, warning or marker of ours appears in a project that does not use the plugin."""
    project.write(
        "import unittest\nclass T(unittest.TestCase):\n    def test_x(self): pass\ndef test_y(): pass\n"
    )
    result = project.offline("-p", "setuponly", "--strict-config", "--setup-show")
    result.assert_outcomes(passed=2)
    assert "buntime_" not in result.stdout.str()
    assert [] == project.cassettes()


def test_an_older_pytest_is_not_affected(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the fixtures report that they need a newer one."""
    monkeypatch.delattr(pytest, "version_tuple")
    project.write(PASSES + "def test_plain(): pass")
    result = project.offline()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["buntime: off, *", "the fixtures of buntime need pytest 7 or later"])


def test_the_marker_and_the_fixtures_are_explained(project: Project) -> None:
    """The lists of pytest describe them."""
    project.offline("--markers").stdout.fnmatch_lines(["@pytest.mark.buntime(cassette=None, mode=None, *"])
    result = project.offline("--fixtures")
    result.stdout.fnmatch_lines(["buntime_client*", "*answers from the test's cassette*", "buntime_session*"])


def test_the_plugin_is_announced() -> None:
    """The entry point lets pytest load it if buntime is installed."""
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert '[project.entry-points.pytest11]\nbuntime = "buntime.pytest_plugin.plugin"\n' in project


def test_the_plugin_imports_little() -> None:
    """It imports neither the client nor its dependencies."""
    plugin = "buntime.pytest_plugin"
    code = f"import sys, {plugin}.plugin, {plugin}.cassettes; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = set(done.stdout.split())
    assert set() == imported & {"requests", "urllib3", "attrs", "buntime.client.client", "buntime.transport"}
