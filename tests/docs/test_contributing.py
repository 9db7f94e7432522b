"""The pages for contributors match the code: the layers, the paths, and the diffs."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.docs.markdown import DOCS, ROOT, anchors, blocks, links

CONTRIBUTING = ROOT / "CONTRIBUTING.md"
THIS = Path(__file__)
HOW_IT_IS_BUILT = DOCS / "project" / "how-it-is-built.md"

_USES_THE_CHANGES = """
import json
from buntime import Buntime, SessionLockedError
from buntime.transport import CountingTransport, FunctionTransport, Response
from tests.contract import transports

with transports.TRANSPORTS["counting_fake"](None) as transport:
    assert isinstance(transport, CountingTransport)
    with Buntime(transports.KEY, transport=transport, max_retries=0) as client:
        with client.sessions.create() as session:
            assert 0 == client.sessions.usage(session.id)
            session.files.write("a.txt", "a")
            session.files.touch("a.txt")
            client.files.touch(session_id=session.id, path="a.txt")
            assert "a" == session.files.read("a.txt")
        assert 7 == transport.count

requests = []

def locked(request):
    requests.append(request)
    return Response(423, (), [b'{"error": "the session is being moved"}'])

with Buntime(transports.KEY, transport=FunctionTransport(locked)) as client:
    try:
        client.execute(session_id="ses_1", code="1", priority="high")
    except SessionLockedError:
        assert ["high"] == [json.loads(request.content)["priority"] for request in requests]
    else:
        raise AssertionError("no error was raised")
"""


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


@pytest.mark.parametrize("page", [CONTRIBUTING, HOW_IT_IS_BUILT], ids=lambda page: page.name)
def test_names_exist(page: Path) -> None:
    """Each name in the text of a page is in the package or the tests."""
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    files = [ROOT / "noxfile.py", ROOT / "pyproject.toml"]
    files += [file for part in ("buntime", "tests") for file in (ROOT / part).rglob("*.py") if file != THIS]
    known = set(re.findall(r"\w+", "\n".join(file.read_text(encoding="utf-8") for file in files)))
    names = re.findall(r"`(?:\w+\.)*(\w+)(?:\(\))?`", text)
    assert names
    assert [] == [name for name in names if name not in known]


def test_sessions_and_folders_are_listed() -> None:
    """The tables have each session of nox and each folder of the tests."""
    text = CONTRIBUTING.read_text(encoding="utf-8")
    source = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    sessions = re.findall(r"^@nox\.session.*\n(?:@.*\n)*def (\w+)", source, re.MULTILINE)
    assert "recipes" in sessions
    assert [] == [name for name in sessions if f"| `nox -s {name}` |" not in text]
    folders = [path.parent.name for path in (ROOT / "tests").glob("*/__init__.py")]
    assert "runloop" in folders
    assert [] == [name for name in folders if f"| `tests/{name}/` |" not in text]


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


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the tree with all diffs applied. The context of each matches its file exactly."""
    tree = tmp_path_factory.mktemp("changed")
    for folder in ("buntime", "tests/contract", "tests/support"):
        shutil.copytree(ROOT / folder, tree / folder)
    for name in ("tests/__init__.py", "pyproject.toml"):
        shutil.copy2(ROOT / name, tree / name)
    for name, hunks in _changes():
        path = tree / name
        source = path.read_text(encoding="utf-8") if path.exists() else ""
        for lines in hunks:
            old = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("+"))
            new = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("-"))
            assert old in source, f"{name} has no longer:\n{old}"
            source = source.replace(old, new, 1)
        path.write_text(source, encoding="utf-8")
    return tree


def test_the_diffs_work(changed: Path) -> None:
    """With all diffs applied, each does what its section states."""
    _run(changed, "-c", _USES_THE_CHANGES)


def test_the_new_transport_passes_the_contract_suite(changed: Path) -> None:
    """Tests that need a real Bun skip it."""
    modules = (f"tests/contract/test_{name}.py" for name in ("sessions", "fetch", "interruptions"))
    options = ("-q", "-p", "no:cacheprovider", "--basetemp=temporary", "-k", "counting_fake")
    _run(changed, "-m", "pytest", *options, *modules)


def _run(changed: Path, *arguments: str) -> None:
    completed = subprocess.run(
        [sys.executable, *arguments],
        cwd=changed,
        env={**os.environ, "PYTHONPATH": str(changed)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert 0 == completed.returncode, completed.stdout


def test_the_diffs_follow_the_style(changed: Path) -> None:
    """No line is too long, public names are sorted, and ruff, if it is installed, has no complaint."""
    names = sorted({name for name, _ in _changes() if name.endswith(".py")})
    assert len(names) >= 12
    for name in names:
        source = (changed / name).read_text(encoding="utf-8")
        assert [] == [line for line in source.splitlines() if len(line) > 110], name
        public = re.search(r"^__all__ = (\[.*?^\])", source, re.MULTILINE | re.DOTALL)
        exported: list[str] = ast.literal_eval(public[1]) if public else []
        assert exported == sorted(exported, key=lambda each: (not each.isupper(), each)), name
    if find_spec("ruff") is not None:
        for command in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
            subprocess.run([sys.executable, "-m", "ruff", *command, *names], cwd=changed, check=True)
