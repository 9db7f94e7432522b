"""Patterns of the files that a transfer ignores."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from buntime.helpers.ignore import expression, matcher
from tests.support.cases import in_one_test

ROWS = [
    ("*.log", ["a.log", "b/c/a.log", ".log", "x.log/"], ["a.log.txt", "log", "a.logs"]),
    (
        "node_modules",
        ["node_modules/", "a/node_modules/", "node_modules"],
        ["node_modules2/", "my_node_modules"],
    ),
    ("cache/", ["cache/", "a/cache/"], ["cache", "a/cache"]),
    ("/build", ["build/", "build"], ["a/build"]),
    ("build/*.js", ["build/a.js"], ["build/a/b.js", "x/build/a.js", "build/.js.map"]),
    ("src/**/x", ["src/x", "src/a/x", "src/a/b/x/"], ["x", "src/ax", "a/src/x"]),
    ("src/**", ["src/a", "src/a/b/"], ["src", "src2/a"]),
    ("**/tmp", ["tmp", "a/b/tmp/"], ["tmpx"]),
    ("?.txt", ["a.txt", "😀.txt", "b/☃.txt", "\n.txt"], ["ab.txt", "/.txt"]),
    ("[ab]*.py", ["a.py", "bcd.py"], ["c.py", "[ab].py"]),
    ("[!ab].py", ["c.py"], ["a.py"]),
    ("[a-c].py", ["b.py"], ["d.py", "-.py"]),
    ("[^$.].py", ["^.py", "..py"], ["a.py"]),
    ("a[b", ["a[b"], ["ab"]),
    ("a+(b)|{c}^$.\\", ["a+(b)|{c}^$.\\"], ["aab"]),
    ("a\nb", ["a\nb"], ["a\nb\n"]),
]


@in_one_test(("pattern", "matching", "others"), ROWS, ids=[repr(row[0]) for row in ROWS])
def test_what_a_pattern_matches(pattern: str, matching: list[str], others: list[str]) -> None:
    """Patterns match as in a .gitignore, for the documented forms."""
    matches = matcher(expression([pattern]))
    assert matching == [path for path in [*matching, *others] if matches(path)]


def test_several_patterns() -> None:
    """One match is enough; an empty list matches nothing; a string is one pattern."""
    assert matcher(expression(["a", "b"]))("b")
    assert not matcher(expression(()))("")
    assert matcher(expression("*.log"))("a.log")


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_any_pattern_is_valid_or_an_error(pattern: str) -> None:
    """A pattern without special characters matches itself."""
    try:
        regex = expression([pattern])
    except ValueError:
        assert not pattern.strip("/") or pattern.startswith("!") or "[" in pattern
        return
    re.compile(regex)
    if not set(pattern) & set("*?[]/"):
        assert matcher(regex)(pattern)
