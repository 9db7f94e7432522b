"""The project's Markdown pages, as parsed by tests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import attrs

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
CHANGELOG = ROOT / "CHANGELOG.md"
_NOT_PAGES = {"_build", "examples"}
PAGES = (
    README,
    *(page for page in sorted(DOCS.rglob("*.md")) if page.relative_to(DOCS).parts[0] not in _NOT_PAGES),
)

_FENCE = re.compile(r"^```(?P<kind>\S*)[^\n]*\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ (?P<title>.+)$", re.MULTILINE)


@attrs.frozen
class Block:
    """A fenced block: its ``kind``, its text, and its first line on the page, from 1."""

    kind: str
    body: str
    line: int
    end: int


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            match["kind"],
            match["body"],
            text.count("\n", 0, match.start("body")) + 1,
            text.count("\n", 0, match.end()) + 1,
        )
        for match in _FENCE.finditer(text)
    ]


def examples(page: Path) -> Iterator[tuple[Block, str | None]]:
    """Return each Python block of a page, with its expected output if a text block follows directly."""
    parsed = blocks(page)
    for block, following in zip(parsed, [*parsed[1:], None]):
        if block.kind == "python":
            printed = following is not None and following.kind == "text" and following.line == block.end + 3
            yield block, following.body if following is not None and printed else None


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def links(page: Path) -> list[str]:
    """Return the targets of a page's links."""
    return [match["target"] for match in _LINK.finditer(prose(page))]


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings."""
    titles = [match["title"] for match in _HEADING.finditer(prose(page))]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
