"""The pages for contributors match the code: the layers, the paths, and the diffs."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.markdown import DOCS, ROOT, anchors, blocks, links

CONTRIBUTING = ROOT / "CONTRIBUTING.md"
HOW_IT_IS_BUILT = DOCS / "project" / "how-it-is-built.md"


def test_the_picture_and_the_table_of_the_layers_are_current() -> None:
    """``python docs/layers.py`` would change nothing."""
    code = (
        "import json, layers; g = layers.read_imports(); print(json.dumps([layers.draw(g), layers.table(g)]))"
    )
    picture, table = json.loads(subprocess.check_output([sys.executable, "-c", code], cwd=DOCS))
    hint = "run: python docs/layers.py"
    assert picture == (DOCS / "project" / "layers.svg").read_text(encoding="utf-8"), hint
    assert f"<!-- begin layers -->\n{table}<!-- end layers -->" in HOW_IT_IS_BUILT.read_text("utf-8"), hint


def test_the_pictures_are_current() -> None:
    """``python docs/pictures.py`` would change nothing."""
    code = "import json, pictures; print(json.dumps({n: d() for n, d in pictures.PICTURES.items()}))"
    drawn = json.loads(subprocess.check_output([sys.executable, "-c", code], cwd=DOCS))
    committed = {path.stem: path.read_text(encoding="utf-8") for path in (DOCS / "pictures").glob("*.svg")}
    assert drawn == committed, "run: python docs/pictures.py"


def test_the_list_for_language_models_is_current() -> None:
    """``python docs/llms.py`` would change nothing."""
    text = subprocess.check_output(
        [sys.executable, "-c", "import llms; print(llms.text(), end='')"], cwd=DOCS
    )
    assert text.decode() == (DOCS / "llms.txt").read_text(encoding="utf-8"), "run: python docs/llms.py"


@pytest.mark.parametrize("page", [CONTRIBUTING, HOW_IT_IS_BUILT], ids=lambda page: page.name)
def test_paths_exist(page: Path) -> None:
    """Each path of the package, the tests or the documentation in a page exists."""
    names = re.findall(r"`((?:buntime|docs|tests)/[\w./-]+)`", page.read_text(encoding="utf-8"))
    assert names
    assert [] == [name for name in names if not (ROOT / name).exists()]


def test_links_of_the_contributing_page_have_targets() -> None:
    """Link targets exist, including their headings."""
    for target in links(CONTRIBUTING):
        name, _, anchor = target.partition("#")
        assert (ROOT / name).exists(), target
        assert not anchor or anchor in anchors(ROOT / name), target


def _changes() -> Iterator[tuple[str, list[list[str]]]]:
    """Yield the files of the diffs, each with its hunks."""
    for block in blocks(CONTRIBUTING):
        if block.kind == "diff":
            for change in re.split(r"^--- (?=\S)", block.body, flags=re.MULTILINE)[1:]:
                head, *hunks = change.split("\n@@\n")
                yield head.rpartition("+++ ")[2].strip(), [hunk.rstrip("\n").split("\n") for hunk in hunks]


def test_the_diffs_apply() -> None:
    """The context of each diff matches its file, and the result is valid Python."""
    sources: dict[str, str] = {}
    for name, hunks in _changes():
        path = ROOT / name
        if name not in sources:
            sources[name] = path.read_text(encoding="utf-8") if path.exists() else ""
        for lines in hunks:
            old = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("+"))
            new = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("-"))
            assert old in sources[name], f"{name} has no longer:\n{old}"
            sources[name] = sources[name].replace(old, new, 1)
    assert len(sources) >= 12
    for name, source in sources.items():
        if name.endswith(".py"):
            ast.parse(source, name)
