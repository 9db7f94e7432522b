"""The fixture ``buntime_config``, the mode ``once`` and the messages that users see."""

from __future__ import annotations

import re

import pytest

from tests.unit.pytest_plugin.conftest import Project

pytest_plugins = ["pytester"]

HELLO = """
def test_hello(buntime_session):
    assert buntime_session.execute("1").stdout == "1\\n"
"""
CONFIG = """
import pytest
@pytest.fixture(scope={scope!r})
def buntime_config():
    return {settings}
"""
CASSETTE = "cassettes/test_it/test_hello.json"
KEY = "sk-" + "a1" * 12


def test_fixture_changes_the_mode(project: Project) -> None:
    """Whatever its scope: the command line wins over the fixture, and the marker over both."""
    scopes = ("function", "module", "session")
    for scope in scopes:
        project.write(HELLO, f"{scope}/test_{scope}.py")
        project.write(CONFIG.format(scope=scope, settings={"mode": "record"}), f"{scope}/conftest.py")
    project.run().assert_outcomes(passed=3)
    cassettes = [f"{scope}/cassettes/test_{scope}/test_hello.json" for scope in scopes]
    assert cassettes == sorted(project.cassettes())
    for cassette in cassettes:
        (project.path / cassette).unlink()
    project.run("--buntime-mode=live").assert_outcomes(passed=3)
    assert {} == project.cassettes()
    for scope in scopes:
        replayed = f"import pytest\n@pytest.mark.buntime(mode='replay')\n{HELLO.lstrip()}"
        project.write(replayed, f"{scope}/test_{scope}.py")
    project.run().assert_outcomes(errors=3)


def test_fixture_changes_all_settings(project: Project) -> None:
    """The source may be a function, false alarms add up, and interactions may be unplayed."""
    project.write(f"def test_hello(buntime_session): assert buntime_session.execute({KEY!r}).stdout")
    config = """
import pytest
from buntime.transport import FakeTransport
def source():
    fake = FakeTransport()
    fake.on_execute(contains="", stdout="from the function")
    return fake
@pytest.fixture
def buntime_config():
    return {"source": source, "allow": "sk-" + "a1a1", "allow_unplayed": True}
"""
    project.write(config, "conftest.py")
    project.record().assert_outcomes(passed=1)
    assert b"from the function" in project.cassettes()[CASSETTE]
    project.write("def test_hello(buntime_client): buntime_client.sessions.create(ttl=3600)")
    project.run().assert_outcomes(passed=1)


INVALID: tuple[tuple[object, str], ...] = (
    ({"tape": 1}, "the fixture buntime_config takes mode=, source=, * and not tape"),
    ({"mode": 1}, "mode= of the fixture buntime_config must be a str, not int"),
    ({"mode": "fly"}, "mode of the fixture buntime_config is 'fly'; *"),
    ({"source": 1}, "source= of the fixture buntime_config must be a str or function, not int"),
    ([], "the fixture buntime_config must return a dict, not list"),
)


def test_invalid_fixture(project: Project) -> None:
    """It is reported before a request is sent."""
    for number, (settings, _) in enumerate(INVALID):
        project.write(CONFIG.format(scope="session", settings=settings) + HELLO, f"test_{number}.py")
    result = project.run()
    result.assert_outcomes(errors=len(INVALID))
    result.stdout.fnmatch_lines([message for _, message in INVALID])


def test_once_records_what_does_not_exist(project: Project) -> None:
    """A cassette that exists is replayed, and stays as it is."""
    project.write(HELLO)
    project.run("--buntime-mode=once").assert_outcomes(passed=1)
    recorded = project.cassettes()
    project.write(HELLO + HELLO.replace("hello", "more"))
    project.run("--buntime-mode=once").assert_outcomes(passed=2)
    assert 2 == len(project.cassettes())
    project.write(HELLO.replace('"1"', '"2"'))
    project.run("--buntime-mode=once").assert_outcomes(failed=1)
    assert recorded[CASSETTE] == project.cassettes()[CASSETTE]


def test_once_records_no_part_of_a_scope(project: Project) -> None:
    """A cassette of a module is recorded by all of its tests."""
    project.write(
        (HELLO + HELLO.replace("hello", "more")).replace("buntime_session", "buntime_module_session")
    )
    result = project.run("--buntime-mode=once", "-k", "more")
    result.stdout.fnmatch_lines(["*to record them all: pytest --buntime-mode=record test_it.py"])
    project.run("--buntime-mode=once").assert_outcomes(passed=2)
    project.run("--buntime-mode=once", "-k", "more").assert_outcomes(passed=1)


def test_hint_repeats_the_source(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command works as it is printed, also for a name that a shell would split."""
    project.write(
        "import pytest\n@pytest.mark.parametrize('x', ['a b'])\n"
        + HELLO.replace("session)", "session, x)")[1:]
    )
    monkeypatch.setenv("BUNTIME_TRANSPORT", "local")
    result = project.run()
    command = "pytest --buntime-mode=record --buntime-source=local 'test_it.py::test_hello[[]a b[]]'"
    result.stdout.fnmatch_lines([f"the cassette * does not exist. To record it: {command}"])


def test_mismatch_is_short(project: Project) -> None:
    """It has the line of the test and the difference, without the frames of buntime."""
    lines = [f"const value{number} = compute({number});" for number in range(40)]
    code = "\n".join(lines)
    source = f'CODE = """{code}"""\ndef test_hello(buntime_session):\n    buntime_session.execute(CODE)\n'
    project.write(source)
    project.record().assert_outcomes(passed=1)
    project.write(source.replace("compute(20)", "compute(21)"))
    result = project.run()
    result.assert_outcomes(failed=1)
    output = result.stdout.str()
    report = re.search(r"_ test_hello _.*?(?=={20})", output, re.DOTALL)
    assert report is not None
    printed = report.group().splitlines()
    assert len(printed) <= 25, output
    assert not [line for line in printed if "buntime/" in line]
    result.stdout.fnmatch_lines(
        ["*buntime_session.execute(CODE)", "*recorded: *compute(20)*", "*sent: *compute(21)*"]
    )
    assert "caller.py" in project.run("--full-trace").stdout.str()


@pytest.mark.parametrize("mode", ["replay", "record", "verify"])
def test_report_of_failed_tests(project: Project, mode: str) -> None:
    """Each failed test has a page with its failure and its recording; the others have none."""
    project.write(HELLO + HELLO.replace("hello", "more"))
    project.record()
    project.write(HELLO.replace("1\\n", "2\\n") + HELLO.replace("hello", "more"))
    result = project.run(f"--buntime-mode={mode}", "--buntime-report=out/pages")
    result.assert_outcomes(passed=1, failed=1)
    (page,) = (project.path / "out" / "pages").iterdir()
    assert page.name.startswith("test_it.py-test_hello~")
    text = page.read_text("utf-8")
    assert "AssertionError" in text
    assert "POST /execute" in text
    result.stdout.fnmatch_lines(["buntime: recordings of failed tests are in *out/pages"])


def test_report_of_unplayed_interactions(project: Project) -> None:
    """They are a failure, too; a run without a failure writes nothing."""
    project.write(HELLO)
    project.record("--buntime-report=out")
    assert not (project.path / "out").exists()
    project.write("def test_hello(buntime_session): pass")
    project.run("--buntime-report=out").assert_outcomes(passed=1, errors=1)
    (page,) = (project.path / "out").iterdir()
    assert "not played" in page.read_text("utf-8")


def test_report_of_a_comparison_that_fails(project: Project) -> None:
    """The page has the new recording, which the comparison itself removes."""
    project.write(HELLO)
    project.record()
    project.write("def test_hello(buntime_session): buntime_session.execute('changed()')")
    project.run("--buntime-mode=verify", "--buntime-report=out").assert_outcomes(passed=1, errors=1)
    (page,) = (project.path / "out").iterdir()
    assert "changed()" in page.read_text("utf-8")


def test_report_of_a_test_that_opens_its_cassette(project: Project) -> None:
    """The failure may come in its block or after it, as in a test of unittest; an expected one is none."""
    block = "with cassette('{name}.json', mode='record') as client, client.sessions.create() as session:"
    project.write(
        "import unittest\nimport pytest\nfrom buntime.testing import cassette\n"
        "class Test(unittest.TestCase):\n"
        f"    def test_in(self):\n        {block.format(name='in')} assert not session.execute('1')\n"
        f"    def test_after(self):\n        {block.format(name='after')} session.execute('1')\n"
        "        assert False\n"
        "def test_expected():\n    with pytest.raises(ZeroDivisionError):\n"
        f"        {block.format(name='expected')} session.execute(str(1 / 0))\n"
    )
    project.run("--buntime-report=out").assert_outcomes(passed=1, failed=2)
    pages = sorted((project.path / "out").iterdir())
    assert ["test_after", "test_in"] == [page.name.split("-")[-1].split("~")[0] for page in pages]
    assert all("POST /execute" in page.read_text("utf-8") for page in pages)


NEW_EACH_TIME = """
import pytest, re, uuid
{mark}
def test_hello(buntime_session):
    run = str(uuid.uuid4())
    assert buntime_session.execute("1", files={{"run.txt": run}}).stdout == "1\\n"
"""
UUID = "[0-9a-f]{8}-[0-9a-f-]{27}"
FUNCTION = "lambda request: request.get('json', {}).pop('files', None) and None"


IGNORES = {
    "field": "@pytest.mark.buntime(ignore='files[*].content')",
    "list": "@pytest.mark.buntime(ignore=['files[run.txt].content'])",
    "expression": f"@pytest.mark.buntime(ignore=re.compile({UUID!r}))",
    "function": f"@pytest.mark.buntime(ignore={FUNCTION})",
    "fixture": CONFIG.format(scope="module", settings={"ignore": ["files[*].content"]}),
}


def test_ignore(project: Project) -> None:
    """A value that is new in each run does not matter, wherever the rule is; recording changes nothing."""
    for name, mark in IGNORES.items():
        project.write(NEW_EACH_TIME.format(mark=mark), f"test_{name}.py")
    _check_that_nothing_changes(project, len(IGNORES))


@pytest.mark.parametrize("rule", ["files[*].content", f"re:{UUID}"], ids=["field", "expression"])
def test_ignore_of_the_configuration(project: Project, rule: str) -> None:
    """The rule may be an option of the configuration file."""
    project.write(NEW_EACH_TIME.format(mark=""))
    _check_that_nothing_changes(project, 1, "-o", f"buntime_ignore={rule}")


def _check_that_nothing_changes(project: Project, tests: int, *option: str) -> None:
    project.record(*option).assert_outcomes(passed=tests)
    recorded = project.cassettes()
    assert tests == len(recorded)
    project.run(*option).assert_outcomes(passed=tests)
    project.run("--buntime-mode=verify", *option).assert_outcomes(passed=tests)
    project.record(*option).assert_outcomes(passed=tests)
    assert recorded == project.cassettes()


def test_mismatch_names_values_that_change(project: Project) -> None:
    """Recording again would not help, so the error does not suggest it."""
    project.write(NEW_EACH_TIME.format(mark=""))
    project.record().assert_outcomes(passed=1)
    project.run().stdout.fnmatch_lines(["*a UUID is new in each run*ignore it with ignore=*"])


def test_invalid_ignore(project: Project) -> None:
    """It is reported before a request is sent."""
    project.write(HELLO)
    result = project.record("-o", "buntime_ignore=re:(")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["ignore= has a wrong regular expression 're:(': *"])
