"""The part of a test run that shares a client: a test, a class, a module, a package or the session."""

from __future__ import annotations

import os
import re
import types
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Callable, Optional, Union

import pytest

from buntime.pytest_plugin import paths
from buntime.pytest_plugin.settings import marker_settings

Node = Union[pytest.Item, pytest.Collector]

_ESCAPED = re.compile(r"\\x[89a-f][0-9a-f]|\\u(?!d[89a-f])[0-9a-f]{4}|\\U000[0-9a-f]{5}")
"""A character in the parameter of a test, as pytest shows it: a secret is recognised by the character."""

_COLLECTORS: dict[str, type[pytest.Collector]] = {
    "class": pytest.Class,
    "module": pytest.Module,
    "package": pytest.Package,
    "session": pytest.Session,
}
FIXTURES = {
    "buntime_client": "function",
    **{f"buntime_{scope}_client": scope for scope in _COLLECTORS},
    "runloop": "function",
    **{f"runloop_{scope}": scope for scope in _COLLECTORS},
}
"""The fixtures that open a cassette, and their scopes."""


def owner_of(item: pytest.Item, scope: str) -> Node:
    """Return the node whose cassette a test uses: as in pytest, a function is its own class."""
    if scope == "function":
        return item
    return item.getparent(_COLLECTORS[scope]) or (item.session if scope == "package" else item)


def may_ask(item: pytest.Item) -> bool:
    """Whether a test, or a fixture of its project, can ask for any fixture by its name.

    Those of pytest, such as ``tmp_path``, take ``request`` too, but do not do so.
    """
    if not isinstance(item, pytest.Function):
        return True  # a doctest has getfixture()
    fixtures = (each for definitions in item._fixtureinfo.name2fixturedefs.values() for each in definitions)
    of_users = (each for each in fixtures if not each.func.__module__.startswith(("_pytest.", "buntime.")))
    return "request" in item._fixtureinfo.argnames or any("request" in each.argnames for each in of_users)


def owners_of(item: pytest.Item) -> Iterator[tuple[Node, str]]:
    """Yield the nodes whose cassettes a test uses, by the fixtures in its signature and in theirs."""
    for name in getattr(item, "fixturenames", ()):
        if name in FIXTURES:
            yield owner_of(item, FIXTURES[name]), FIXTURES[name]


def cassette_of(node: Node, scope: str = "session") -> Path:
    """Return the path of the cassette of a node; without packages, the session has a second one for them."""
    folder = _folder_of(node)
    path: Union[str, os.PathLike[str], None] = marker_settings(node).get("cassette")
    if path is not None:
        return folder / path
    if isinstance(node, (pytest.Session, pytest.Package)):
        name = "_package.json" if isinstance(node, pytest.Package) else f"_{scope}.json"
        return folder / paths.FOLDER / name
    if isinstance(node, pytest.Module):
        # The doctests of a module of tests are another module with the same path.
        name = "_doctests.json" if type(node).__name__ == "DoctestModule" else "_module.json"
        return paths.module_folder(node.path) / name
    classes = [parent.name for parent in node.listchain() if isinstance(parent, pytest.Class)]
    if isinstance(node, pytest.Class):
        return paths.module_folder(node.path) / paths.file_name(classes)
    function = getattr(node, "originalname", None) or node.name
    parameters = node.name[len(function) + 1 : -1] if node.name != function else None
    return paths.module_folder(node.path) / paths.file_name([*classes, function], parameters)


def label_of(node: Node, owner: Node) -> Optional[str]:
    """Return the name of a test, a class, module or package in the cassette of an owner that it shares.

    ``None`` for the owner itself: its fixtures belong to all of its tests.
    """
    if node in owner.listchain():
        return None
    names = [each.name for each in node.listchain() if isinstance(each, (pytest.Class, pytest.Item))]
    if isinstance(owner, (pytest.Session, pytest.Package)):
        path = _folder_of(node) if isinstance(node, pytest.Package) else node.path
        names.insert(0, Path(os.path.relpath(path, _folder_of(owner))).as_posix())
    return _ESCAPED.sub(lambda match: chr(int(match[0][2:], 16)), "::".join(names))


def _folder_of(node: Node) -> Path:
    """Return the folder of a session or package, or around a file; a package of pytest 7 is a file."""
    is_folder = isinstance(node, (pytest.Session, pytest.Package)) and node.path.is_dir()
    return node.path if is_folder else node.path.parent


def define(node: pytest.Collector, scope: Any, fixtures: Mapping[str, Callable[..., object]]) -> None:
    """Define fixtures for the tests of a node, by their names."""
    register: Optional[Callable[..., object]] = getattr(pytest, "register_fixture", None)  # pytest 9.1
    if register is not None:
        for name, function in fixtures.items():
            register(name=name, func=function, node=node, scope=scope)
        return
    holder = types.ModuleType("buntime_fixtures")
    for name, function in fixtures.items():
        setattr(holder, name, pytest.fixture(scope=scope, name=name)(function))
    node.session._fixturemanager.parsefactories(holder, node.nodeid.removesuffix("/__init__.py"))


def is_overridden(name: str, node: pytest.Collector) -> bool:
    """Whether a project has its own fixture of this name, which one that is nearer would hide."""
    where: Any = node if getattr(pytest, "version_tuple", ()) >= (8,) else node.nodeid
    definitions = node.session._fixturemanager.getfixturedefs(name, where) or ()
    return any(not each.func.__module__.startswith("buntime.") for each in definitions)


class Selection:
    """Which nodes of a run have all of their tests in it."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._deselected: set[object] = set()
        self._items: dict[str, defaultdict[Node, list[pytest.Item]]] = {}

    def deselect(self, items: list[pytest.Item]) -> None:
        """Note tests that do not run."""
        for item in items:
            self._deselected.update(item.listchain())

    def items_of(self, node: Node, scope: str) -> list[pytest.Item]:
        """Return the tests of the run whose cassette of a scope is that of a node."""
        if scope not in self._items:  # once for all nodes: a run may have thousands
            self._items[scope] = defaultdict(list)
            for item in node.session.items:
                self._items[scope][owner_of(item, scope)].append(item)
        return self._items[scope][node]

    def has_all_of(self, node: Node) -> bool:
        """Whether all tests of a node were collected and selected."""
        if isinstance(node, pytest.Item):
            return True
        # Tests that --last-failed leaves out are not announced as deselected.
        if node in self._deselected or self._config.getoption("lf", default=False):
            return False
        if not isinstance(node, (pytest.Session, pytest.Package)):
            return all(self._covers(argument, node) for argument in self._config.args)
        if any(self._config.getoption(name, default=None) for name in ("ignore", "ignore_glob")):
            return False
        starts = [_folder_of(node)]
        if isinstance(node, pytest.Session):
            root = self._config.rootpath
            starts = [root / path for path in self._config.getini("testpaths")] or [root]
        whole = [path for path, names in map(self._parse, self._config.args) if not names]
        return all(any(_is_below(start, path) for path in whole) for start in starts)

    def _covers(self, argument: str, node: Node) -> bool:
        """Whether an argument selects all tests of a class or module, or none of its file."""
        path, names = self._parse(argument)
        if path != node.path.resolve():
            return True
        classes = [parent.name for parent in node.listchain() if isinstance(parent, pytest.Class)]
        return classes[: len(names)] == names

    def _parse(self, argument: str) -> tuple[Path, list[str]]:
        file, *names = argument.partition("[")[0].split("::")
        return (self._config.invocation_params.dir / file).resolve(), names


def _is_below(path: Path, folder: Path) -> bool:
    path = path.resolve()
    return path == folder or folder in path.parents
