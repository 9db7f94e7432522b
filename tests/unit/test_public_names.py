"""The public names: completeness, documentation and import cost."""

from __future__ import annotations

import importlib
import inspect
import json
import pickle
import pickletools
import subprocess
import sys
import typing
from typing import Any

import pytest

import buntime
import buntime.notebook
import buntime.testing
import buntime.tools
import buntime.transport
from tests.support.cases import in_one_test
from tests.support.picklable_samples import VALUES, all_errors

MODULES = ["buntime", "buntime.notebook", "buntime.testing", "buntime.tools", "buntime.transport"]
PUBLIC = [
    (module, name)
    for module in MODULES
    for name in importlib.import_module(module).__all__
    if not name.startswith("__")
]


@in_one_test("module", MODULES)
def test_all_is_sorted(module: str) -> None:
    """No name occurs twice."""
    names = importlib.import_module(module).__all__
    assert sorted(set(names)) == names


def test_all_has_the_visible_names() -> None:
    """Completion shows only public names, modules and the names that Python adds."""
    hidden = {"TYPE_CHECKING", "Any", "annotations", "importlib"}
    for name in buntime.__all__:
        getattr(buntime, name)
    visible = {
        name
        for name in dir(buntime)
        if not name.startswith("_") and not inspect.ismodule(getattr(buntime, name, None))
    }
    assert set(buntime.__all__) - {"__version__"} == visible - hidden


@in_one_test(("module", "name"), PUBLIC, ids=[f"{module}.{name}" for module, name in PUBLIC])
def test_a_public_name_exists_and_is_documented(module: str, name: str) -> None:
    """Its public methods and properties are documented too."""
    value = getattr(importlib.import_module(module), name)
    assert not inspect.ismodule(value)
    if not (inspect.isclass(value) or callable(value)):
        return
    assert inspect.getdoc(value)
    undocumented = [member for member, attribute in _members(value) if not inspect.getdoc(attribute)]
    assert [] == undocumented


def _members(value: Any) -> list[tuple[str, Any]]:
    if not inspect.isclass(value):
        return []
    return [
        (name, attribute)
        for base in value.__mro__
        if base.__module__.startswith("buntime")
        for name, attribute in vars(base).items()
        if not name.startswith("_") and (inspect.isfunction(attribute) or isinstance(attribute, property))
    ]


@in_one_test(("module", "name"), PUBLIC, ids=[f"{module}.{name}" for module, name in PUBLIC])
def test_a_public_name_has_its_public_module(module: str, name: str) -> None:
    """Pickles, tracebacks and ``help`` show the module to import from, and its annotations resolve."""
    value = getattr(importlib.import_module(module), name)
    if not (inspect.isclass(value) or inspect.isfunction(value)):
        return
    assert module == value.__module__
    typing.get_type_hints(value)
    for _, member in _members(value):
        typing.get_type_hints(member.fget if isinstance(member, property) else member)
    for attribute, member in vars(value).items():
        function = getattr(member, "__func__", member)
        if inspect.isfunction(function) and (attribute == "__init__" or not attribute.startswith("_")):
            typing.get_type_hints(function)


def test_a_pickle_holds_public_names_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients, sessions, values and errors can be loaded after private modules change."""
    monkeypatch.setenv("BUNTIME_API_KEY", "btk_1")
    client = buntime.Buntime()
    session = client.sessions.attach("ses_1")
    process = buntime.Process(client._context, "ses_1", 1, 7)
    objects = [client, client.sessions, client.files, session, session.files, process, *VALUES, *all_errors()]
    for each in objects:
        pickled = pickle.dumps(each, protocol=2)
        modules = {
            str(argument).split(" ")[0]
            for opcode, argument, _ in pickletools.genops(pickled)
            if opcode.name == "GLOBAL"
        }
        assert {name for name in modules if name.startswith("buntime")} <= set(MODULES)
    client.close()


@in_one_test("module", MODULES)
def test_an_unknown_name_is_an_attribute_error(module: str) -> None:
    """The error has the name."""
    with pytest.raises(AttributeError, match="nonsense"):
        importlib.import_module(module).nonsense  # noqa: B018 - reading it is what fails


def _imported(statement: str) -> set[str]:
    code = f"import sys; {statement}; import json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_importing_buntime_imports_little() -> None:
    """It imports neither requests nor attrs nor the service nor pytest, and none of our other modules."""
    imported = _imported("import buntime")
    assert set() == imported & {"requests", "urllib3", "attr", "attrs", "pytest", "hypothesis", "asyncio"}
    assert {"buntime", "buntime._version"} == {name for name in imported if name.split(".")[0] == "buntime"}


def test_a_client_with_a_custom_transport_imports_no_requests() -> None:
    """It does not import the service either: each part imports what it needs."""
    imported = _imported(
        "from buntime import Buntime; from buntime.transport import FunctionTransport; "
        "Buntime(transport=FunctionTransport(print))"
    )
    assert set() == imported & {"requests", "urllib3", "pytest"}
    assert not any(name.startswith("buntime.service") for name in imported)


def test_the_client_of_runloop_imports_no_requests() -> None:
    """Neither ``import buntime.runloop`` nor a client over a custom transport imports it, or the service."""
    imported = _imported(
        "from buntime.runloop import RunloopSDK; from buntime.transport import FunctionTransport; "
        "RunloopSDK(transport=FunctionTransport(print)).devbox"
    )
    assert set() == imported & {"requests", "urllib3", "pytest"}
    assert not any(name.startswith("buntime.service") for name in imported)


def test_the_client_and_the_service_are_independent() -> None:
    """They share Request and Response only, so each checks the other."""
    imported = _imported("import buntime.service.sessions.app")
    ours = {name for name in imported if name.startswith("buntime.")}
    assert set() == ours & {
        f"buntime.{name}" for name in ("client", "errors", "models", "wire", "engine", "calls", "helpers")
    }


def test_the_version() -> None:
    """It is one string."""
    assert buntime.__version__.split(".")[0].isdigit()
