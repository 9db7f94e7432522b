"""Plain English and plain names: phrases that hide a condition, a subject or a meaning stay rare.

The bounds are the highest rates in httpx, stamina, elastic-transport, urllib3 and trio.
"""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest

from tests.docs.markdown import CHANGELOG, PAGES, ROOT

PER_THOUSAND_WORDS = 0.4
SHARE_OF_NAMES = 0.001

PATTERNS = {
    "a conditional where": (
        r"\b[Ww]here (?:there|it|that|one|the|none|nothing|nobody|a|an|its|no|some|they|this|left)\b"
    ),
    "a clause that begins with What": r"(?:^|[.:;] )What\b",
    "is no, for is not": r"(?<!there )\b(?:is|are|was|were) no (?!longer)\w+",
    "programs that tell, say or hear": r"\b(?:tells?|told|says?|said|hears?|heard)\b",
    "dated idioms": (
        r"\b(?:anew|for sure|ever after|now and then|by and by|of (?:its|one's) own|comes? of|came of"
        r"|becomes? of|whoever|nobody|somebody)\b"
    ),
    "answers and refusals of the API": (
        r"\b(?:an?|the|each|every|no|its|whose|lost|late|this|recorded) (?:answer|refusal)s?\b"
    ),
}
SAMPLES = {
    "a conditional where": "the default where there is none",
    "a clause that begins with What": "What the service sends.",
    "is no, for is not": "it is no mapping",
    "programs that tell, say or hear": "the header tells the limit",
    "dated idioms": "it is made anew",
    "answers and refusals of the API": "the answer of the service",
}
BARE_NAMES = {
    *("found", "place", "places", "given", "left", "shown", "own", "told", "it", "taken", "used", "made"),
    *("kept", "held", "whole", "within", "look", "seen", "again", "wanted", "needed", "asked", "meant"),
    "said",
}

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef)
_PYTHON_COMMENT = re.compile(r"(?:^|  )# ?(.*)", re.MULTILINE)
_JAVASCRIPT_COMMENT = re.compile(r"^\s*(?://|\*|/\*\*?)\s?(.*)", re.MULTILINE)
_CODE_AND_GENERATED = re.compile(
    r"^<!-- begin .*?^<!-- end |^```.*?^```$|`[^`\n]*`", re.MULTILINE | re.DOTALL
)


@functools.cache
def _read_python(folder: str) -> tuple[list[str], list[tuple[str, str]]]:
    """Return docstrings, messages of exceptions and comments; and the position and name of each variable."""
    texts: list[str] = []
    names: list[tuple[str, str]] = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        if path == Path(__file__):
            continue
        source, position = path.read_text(encoding="utf-8"), path.relative_to(ROOT)
        texts += _PYTHON_COMMENT.findall(source)
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, _DOCUMENTED):
                texts.append(ast.get_docstring(node) or "")
            elif isinstance(node, ast.Raise):
                constants = (part.value for part in ast.walk(node) if isinstance(part, ast.Constant))
                texts += (value for value in constants if isinstance(value, str))
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.append((f"{position}:{node.lineno}", node.id))
            elif isinstance(node, ast.arg):
                names.append((f"{position}:{node.lineno}", node.arg))
    return texts, names


@functools.cache
def _prose(part: str) -> str:
    """Return the prose of the package, the documentation or the tests."""
    if part == "docs":
        pages = (page.read_text(encoding="utf-8") for page in (*PAGES, CHANGELOG))
        return "\n".join(_CODE_AND_GENERATED.sub("", page) for page in pages)
    programs = sorted((ROOT / part).rglob("*.js")) if part == "buntime" else ()
    comments = (_JAVASCRIPT_COMMENT.findall(path.read_text(encoding="utf-8")) for path in programs)
    return "\n".join([*_read_python(part)[0], *(line for lines in comments for line in lines)])


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("part", ["buntime", "docs", "tests"])
def test_language_is_plain(part: str, pattern: str) -> None:
    """Each pattern is at most as frequent as in the libraries whose documentation we admire."""
    text = _prose(part)
    regex = re.compile(PATTERNS[pattern], re.MULTILINE)
    rate = 1000 * len(regex.findall(text)) / len(text.split())
    if rate > PER_THOUSAND_WORDS:
        matches = "\n".join(line for line in text.splitlines() if regex.search(line))
        pytest.fail(f"{pattern}: {rate:.2f} per thousand words in {part}:\n{matches}")


def test_patterns_match_their_samples() -> None:
    """A pattern without matches would accept any text."""
    assert list(PATTERNS) == [name for name, sample in SAMPLES.items() if re.search(PATTERNS[name], sample)]


@pytest.mark.parametrize("part", ["buntime", "tests"])
def test_names_are_plain(part: str) -> None:
    """A bare participle or pronoun as a variable leaves the reader to guess the noun."""
    names = _read_python(part)[1]
    bare = [f"{position} {name}" for position, name in names if name.strip("_") in BARE_NAMES]
    assert len(bare) <= SHARE_OF_NAMES * len(names), f"{len(bare)} of {len(names)}:\n" + "\n".join(bare)
