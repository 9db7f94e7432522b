"""Write llms.txt, the list of pages for language models: ``python docs/llms.py`` updates it."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parent
_GROUP = re.compile(r"^```\{toctree\}\n:caption: (.+)\n(?:.+\n)*?\n((?:\S+\n)+)```", re.MULTILINE)


def text() -> str:
    """Return the groups of the index, with the title and the first sentence of each page."""
    lines = [
        "# buntime",
        "",
        "> A synchronous Python client for sandboxes: sessions of buntime.sh, which run JavaScript and",
        "> commands on Bun, and devboxes of Runloop. The same program runs on the service, on this",
        "> machine, in memory, or from a recording. Python 3.9 or later; `pip install 'buntime[local]'`.",
    ]
    for caption, names in _GROUP.findall((DOCS / "index.md").read_text(encoding="utf-8")):
        lines += ["", f"## {caption}", ""]
        lines += [
            f"- [{title}]({name}.md): {first}" for name in names.split() for title, first in [_page(name)]
        ]
    return "\n".join(lines) + "\n"


def _page(name: str) -> tuple[str, str]:
    """Return the title of a page and its first sentence."""
    page = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    included = re.match(r"```\{include\} (\S+)", page)
    if included:
        page = (DOCS / f"{name}.md").parent.joinpath(included[1]).read_text(encoding="utf-8")
    title, _, rest = page.removeprefix("# ").partition("\n")
    paragraphs = [part for part in rest.strip().split("\n\n") if part[:1].isalnum() or part[:1] in "`*"]
    prose = [part for part in paragraphs if not part.startswith("```")]
    first = " ".join(prose[0].split()) if prose else "Every name, with its arguments and errors."
    return title, re.split(r"(?<=[.!?])\s", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", first))[0].rstrip(":")


if __name__ == "__main__":
    (DOCS / "llms.txt").write_text(text(), encoding="utf-8")
