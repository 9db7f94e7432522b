"""TypeScript that is not TSX, and functions with a semicolon or an export, were syntax errors."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from buntime import Buntime, JavaScriptError, Session
from buntime.transport import LocalTransport
from tests.support.cases import in_one_test

GENERIC = "const same = <T>(x: T) => x;\nconsole.log(same(3), <number>4, process.argv.length);"


@pytest.fixture(params=["none", "required"])
def session(request: pytest.FixtureRequest) -> Iterator[Session]:
    """Return a new session."""
    with (
        Buntime(transport=LocalTransport(isolation=request.param), max_retries=0) as client,
        client.sessions.create() as session,
    ):
        yield session


@in_one_test(
    ("code", "printed"),
    [
        ("const f = <T>(x: T) => x", ""),
        (GENERIC, "3 4 2\n"),
        (
            "import { join } from 'node:path'; const f = async <T,>(x: T) => x; console.log(join('a', 'b'))",
            "a/b\n",
        ),
        ("await 1; const f = async <T extends object>(x: T) => x; console.log(typeof require)", "function\n"),
        ("const React = { createElement: (kind) => kind }; console.log(<b>text</b>)", None),
        ("const text = `= <T>(x) => x`; console.log(text)", "= <T>(x) => x\n"),
    ],
)
def test_code(session: Session, code: str, printed: str | None) -> None:
    """Code is TypeScript; JSX still runs, and reads the project's React."""
    result = session.execute(code)
    if printed is None:
        assert "Unexpected" not in result.stderr
        assert "Syntax Error" not in result.stderr
    else:
        assert (printed, "", 0) == (result.stdout, result.stderr, result.exit_code)


def test_imports_and_lines(session: Session) -> None:
    """Imports are relative to the working directory, and an error names the line of the code."""
    session.files.write("folder/lib.ts", "export const lib = <T>(x: T) => x;")
    code = 'import { lib } from "./lib.ts";\nconst f = <T>(x: T) => lib(x);\n\nthrow new Error(f("here"));'
    result = session.execute(code, working_dir="folder")
    assert "error: here" in result.stderr
    assert "[stdin]:4:" in result.stderr


def test_syntax_errors_name_the_code(session: Session) -> None:
    """Code that is neither is reported as before."""
    result = session.execute("const f = <T>(x: T) => ;")
    assert 1 == result.exit_code
    assert "[stdin]:1" in result.stderr


def test_started_code(session: Session) -> None:
    """Background programs are TypeScript too."""
    process = session.start(GENERIC)
    assert 0 == process.wait()
    assert "3 4 2\n" == process.logs().stdout


@in_one_test(
    "function",
    [
        "(a) => a;\n// c",
        "(a) => a // c",
        "<T>(a: T): T => a;",
        "function same(a) { return a; };",
        "export default (a) => a",
        "export default (a) => a;",
        "import { join } from 'node:path';\nexport default (a) => +join(String(a));",
        "const same = (a) => a;\nexport { same as default };",
    ],
)
def test_functions(session: Session, function: str) -> None:
    """The source of a function may end with a semicolon or a comment, and may be a module."""
    assert 1 == session.call(function, 1)


@in_one_test(
    ("function", "problem"),
    [
        ("(a) => ;", "SyntaxError"),
        ("(a) => a)", "SyntaxError"),
        ("export const same = (a) => a;", "of type undefined, not a function"),
        ("export default 3", "of type number, not a function"),
    ],
)
def test_not_functions(session: Session, function: str, problem: str) -> None:
    """Anything else is an error with the place of the mistake."""
    with pytest.raises(JavaScriptError) as caught:
        session.call(function, 1)
    assert problem in caught.value.stack + str(caught.value)
