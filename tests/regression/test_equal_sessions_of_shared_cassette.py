"""A test that ran alone got the session of another one, and its error only advised to record it again."""

from __future__ import annotations

from tests.unit.pytest_plugin.conftest import Project, project

pytest_plugins = ["pytester"]

__all__ = ["project"]

TESTS = """
def use(client, name, **options):
    with client.sessions.create(**options) as session:
        session.files.write("name.txt", name)

def test_a(buntime_module_client): use(buntime_module_client, "a", {a})
def test_b(buntime_module_client): use(buntime_module_client, "b", {b})
"""
NOTE = "*give the sessions and devboxes that they create different metadata=*"


def test_mismatch_explains_equal_sessions(project: Project) -> None:
    """The recorded order decides which session a test gets, so the message says how to tell them apart."""
    project.write(TESTS.format(a="", b=""))
    project.record().assert_outcomes(passed=2)
    project.run().assert_outcomes(passed=2)
    result = project.run("-k", "test_b")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*if it passes with all tests of the module in their order" + NOTE])


def test_different_metadata_replays_each_test_alone(project: Project) -> None:
    """Different ``metadata=`` is what the message advises, and it works."""
    project.write(TESTS.format(a="metadata={'test': 'a'}", b="metadata={'test': 'b'}"))
    project.record().assert_outcomes(passed=2)
    for name in ("test_a", "test_b"):
        project.run("-k", name).assert_outcomes(passed=1)


def test_mismatch_of_own_cassette_has_no_such_note(project: Project) -> None:
    """A cassette of one test is always replayed from its start."""
    source = "def test_c(buntime_session): buntime_session.execute({code!r})"
    project.write(source.format(code="1"))
    project.record().assert_outcomes(passed=1)
    project.write(source.format(code="2"))
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line(NOTE)
