"""Everything public is documented, and the documentation is correct."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import attrs
import pytest

import buntime
import buntime.notebook
import buntime.runloop
import buntime.testing
import buntime.tools
import buntime.transport
from buntime import Files, SessionFiles, Sessions
from buntime.client import settings
from tests.docs.markdown import CHANGELOG, DOCS, PAGES, README, ROOT, anchors, blocks, links
from tests.support.cases import in_one_test

REFERENCE = "\n".join(page.read_text(encoding="utf-8") for page in sorted((DOCS / "reference").glob("*.md")))
PUBLIC = [
    *(f"buntime.{name}" for name in buntime.__all__),
    *(f"buntime.testing.{name}" for name in buntime.testing.__all__),
    *(f"buntime.transport.{name}" for name in buntime.transport.__all__),
    *(f"buntime.notebook.{name}" for name in buntime.notebook.__all__),
    *(f"buntime.tools.{name}" for name in buntime.tools.__all__),
    *(
        f"buntime.runloop.{name}"
        for name in buntime.runloop.__all__
        if getattr(buntime.runloop, name).__module__ == "buntime.runloop"
    ),
]
WITH_METHODS: list[tuple[str, type]] = [
    ("buntime.Buntime", buntime.Buntime),
    ("buntime.ExecuteStream", buntime.ExecuteStream),
    ("buntime.Session", buntime.Session),
    ("buntime.SessionPool", buntime.SessionPool),
    ("buntime.Files", Files),
    ("buntime.SessionFiles", SessionFiles),
    ("buntime.Sessions", Sessions),
]
VALUES = [
    value
    for name in buntime.__all__
    if isinstance(value := getattr(buntime, name), type) and attrs.has(value)
]
ERRORS = [
    value
    for name in buntime.__all__
    if isinstance(value := getattr(buntime, name), type) and issubclass(value, buntime.BuntimeError)
]
PACKAGE = sorted((ROOT / "buntime").rglob("*.py"))


def _entry(name: str) -> str:
    """Return the reference's entry of a name, directive and options, or "" if there is none."""
    pattern = rf"^\.\. (?:autoclass|autofunction|py:data):: {re.escape(name)}$(?:\n(?: .*)?$)*"
    match = re.search(pattern, REFERENCE, re.MULTILINE)
    return match.group() if match else ""


def _members(entry: str) -> set[str]:
    listed = re.search(r":members: (.+)", entry)
    described = re.findall(r"\.\. py:\w+:: (\w+)", entry)
    return {*(re.split(r",\s*", listed[1]) if listed else ()), *described}


def _public_members(cls: type) -> set[str]:
    """Return public attributes of a class, including those of its instances."""
    names: set[str] = set()
    for parent in cls.__mro__:
        if parent.__module__.startswith("buntime"):
            names.update(vars(parent))
            names.update(_assigned_to_self(parent))
    fields = {field.name for field in attrs.fields(cls)} if attrs.has(cls) else set()
    return {name for name in names - fields if not name.startswith("_")}


def _assigned_to_self(cls: type) -> set[str]:
    # Public classes have the module that users import from, where inspect does not find their source.
    source = inspect.getsourcefile(next(filter(inspect.isfunction, vars(cls).values()), Path.exists))
    classes = (
        node
        for node in ast.walk(ast.parse(Path(source or "").read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef) and node.name == cls.__name__
    )
    return {
        node.attr
        for each in classes
        for node in ast.walk(each)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    }


@in_one_test("name", PUBLIC)
def test_every_public_name_has_an_entry_in_the_reference(name: str) -> None:
    """The reference page has an entry for each name that can be imported."""
    assert _entry(name), f"docs/reference/ has no entry for {name}"


@in_one_test(("name", "cls"), WITH_METHODS, ids=[name for name, _ in WITH_METHODS])
def test_every_method_is_in_the_reference(name: str, cls: type) -> None:
    """The reference lists exactly the public methods and attributes of each class."""
    assert _public_members(cls) == _members(_entry(name))


@pytest.mark.parametrize("cls", [Files, SessionFiles, Sessions], ids=lambda cls: cls.__name__)
def test_classes_that_a_client_creates_are_explained(cls: type) -> None:
    """A class that only a client creates has a docstring on each method."""
    assert [] == [name for name in _public_members(cls) if not inspect.getdoc(getattr(cls, name))]


@in_one_test("cls", VALUES, ids=lambda cls: cls.__name__)
def test_every_field_is_explained(cls: type[Any]) -> None:
    """A page of the guide explains all fields of a value, and the reference all methods."""
    fields = {field.name for field in attrs.fields(cls)} - {"extra"}
    guides = [page.read_text(encoding="utf-8") for page in PAGES if page.parent.name != "reference"]
    missing = [
        {field for field in fields if not re.search(rf"`[^`\n]*\b{field}\b[^`\n]*`", text)}
        for text in guides
        if re.search(rf"\b{cls.__name__}\b", text)
    ]
    assert set() == min(missing, key=len, default=fields)
    assert _public_members(cls) <= _members(_entry(f"buntime.{cls.__name__}"))


@in_one_test("cls", ERRORS, ids=lambda cls: cls.__name__)
def test_every_error_is_explained(cls: type[buntime.BuntimeError]) -> None:
    """The page on errors has each class and its attributes."""
    page = (DOCS / "guide" / "errors.md").read_text(encoding="utf-8")
    attributes = {name for name in _assigned_to_self(cls) if not name.startswith("_")} - {"errno", "strerror"}
    names = {cls.__name__, *attributes}
    assert set() == {name for name in names if not re.search(rf"\b{name}\b", page)}


def test_the_reference_has_no_other_entries() -> None:
    """Every entry of the reference is public, so a removed name must be deleted there."""
    entries = set(re.findall(r"^\.\. (?:autoclass|autofunction|py:data):: (\S+)$", REFERENCE, re.MULTILINE))
    assert {*PUBLIC, *(name for name, _ in WITH_METHODS)} == entries


def _variables_of_the_package() -> set[str]:
    read = re.compile(r"(?:environ(?:\.get\(|\[)|read_switch\()\s*\"(BUNTIME_\w+)\"")
    of_services = {
        value
        for service in (settings.BUNTIME_SH, settings.RUNLOOP)
        for name, value in attrs.asdict(service).items()
        if name.endswith("_variable") and value
    }
    return of_services.union(*(read.findall(file.read_text(encoding="utf-8")) for file in PACKAGE))


def test_every_environment_variable_is_explained() -> None:
    """The table of variables has exactly the variables that the package reads."""
    page = (DOCS / "guide" / "configuration.md").read_text(encoding="utf-8")
    table = page.partition("## The environment")[2].partition("\n\nThe HTTP")[0]
    documented = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
    assert _variables_of_the_package() == documented


def test_every_setting_of_the_client_is_explained() -> None:
    """The table of settings has the arguments of the client, in their order."""
    page = (DOCS / "guide" / "configuration.md").read_text(encoding="utf-8")
    table = page.partition("argument of `Buntime`")[2].partition("\n\n")[0]
    arguments = list(inspect.signature(buntime.Buntime).parameters)
    assert arguments == re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)


def test_every_option_of_the_command_line_is_explained() -> None:
    """The pages on the command line and on serving have every option of the program."""
    page = "".join(
        (DOCS / "guide" / name).read_text(encoding="utf-8") for name in ("command-line.md", "serving.md")
    )
    sources = (ROOT / "buntime" / "cli").glob("*.py")
    source = "".join(file.read_text(encoding="utf-8") for file in sources)
    added = re.findall(r"add_argument\(\s*((?:\"-[\w-]+\",?\s*)+)", source)
    options = set(re.findall(r"\"(--[a-z-]+)\"", "".join(added)))
    assert options
    assert set() == {option for option in options if f"`{option}" not in page}


def test_every_option_of_the_pytest_plugin_is_explained() -> None:
    """The page on testing has all options, settings, fixtures and arguments of the marker."""
    page = (DOCS / "testing" / "testing-your-code.md").read_text(encoding="utf-8")
    source = (ROOT / "buntime" / "pytest_plugin" / "plugin.py").read_text(encoding="utf-8")
    names = {
        *re.findall(r"\"(--[a-z-]+)\"", source),
        *re.findall(r"addini\(\s*\"(\w+)\"", source),
        *re.findall(r"^@pytest\.fixture(?:\(.*\))?\ndef (\w+)", source, re.MULTILINE),
        *re.findall(r"^(buntime_package_\w+) =", source, re.MULTILINE),
        *re.findall(r"(\w+)=", source.partition("_MARKER = (")[2].partition("):")[0]),
    }
    assert len(names) >= 20
    assert set() == {name for name in names if f"`{name}`" not in page}


@in_one_test("page", [*PAGES, CHANGELOG], ids=lambda page: page.name)
def test_links_have_targets(page: Path) -> None:
    """Each internal link has an existing target, including its heading."""
    broken = []
    for target in links(page):
        name, _, anchor = target.partition("#")
        linked = page.parent / name if name else page
        if not linked.exists() or (anchor and anchor not in anchors(linked)):
            broken.append(target)
    assert [] == broken


@in_one_test("page", PAGES, ids=lambda page: page.name)
def test_no_page_begins_with_a_definition(page: Path) -> None:
    """The first sentence is about the reader's task."""
    first = next(re.finditer(r"^\w.*|^[`\[].*", page.read_text(encoding="utf-8"), re.MULTILINE))[0]
    assert not re.match(r"(?:An? |The )?`?[\w.()]+`? (?:is|are) (?:an?|the) ", first)


def test_every_page_is_in_the_table_of_contents() -> None:
    """The index lists every page exactly once, in its group."""
    index = DOCS / "index.md"
    pages = [str(page.relative_to(DOCS).with_suffix("")) for page in PAGES if page not in (README, index)]
    contents = [block.body.splitlines() for block in blocks(index) if block.kind == "{toctree}"]
    assert pages == sorted(line for lines in contents for line in lines if "/" in line)


def test_changelog_has_this_version() -> None:
    """The newest version in the changelog is the package's."""
    newest = re.search(r"^## \[(.+?)\]", CHANGELOG.read_text(encoding="utf-8"), re.MULTILINE)
    assert newest is not None
    assert buntime.__version__ == newest[1]


def test_changelog_has_one_sentence_a_line() -> None:
    """An entry of the changelog is a single line with one sentence."""
    text = CHANGELOG.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert [] == [line for line in lines if not line.endswith(".") or ". " in line.replace("e. g. ", "")]


def test_set_up_is_two_lines_in_one_place() -> None:
    """The lines that set up the project are in the README only, which the checks read."""
    section = README.read_text(encoding="utf-8").partition("\n## Set up\n")[2].partition("\n## ")[0]
    lines = re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)[0].splitlines()
    assert 2 == len(lines)
    elsewhere = [*DOCS.rglob("*.md"), ROOT / ".ci" / "run"]
    assert [] == [file for file in elsewhere if any(line in file.read_text("utf-8") for line in lines)]
