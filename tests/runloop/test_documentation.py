"""The page on Runloop."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys

import attrs

import buntime.runloop
from buntime.runloop import (
    Agent,
    AgentOps,
    Benchmark,
    BenchmarkRun,
    Blueprint,
    CommandInterface,
    Devbox,
    DevboxOps,
    Execution,
    ExecutionResult,
    FileInterface,
    NetworkInterface,
    RunloopSDK,
    Scenario,
    ScenarioRun,
    Scorer,
    Secret,
    SecretOps,
    Snapshot,
    StorageObject,
    StorageObjectOps,
)
from buntime.runloop.wire.views.base import View
from buntime.service.devboxes.app import ROUTES
from tests.docs.markdown import DOCS

SCORING = (Benchmark, BenchmarkRun, Scenario, ScenarioRun, Scorer)
PAGE = (DOCS / "runloop" / "devboxes.md").read_text(encoding="utf-8")
NAMES = (DOCS / "coming-from" / "runloop.md").read_text(encoding="utf-8")


def test_table_of_calls_is_current() -> None:
    """``python docs/runloop_routes.py`` would change nothing."""
    code = "import runloop_routes; print(runloop_routes.table(), end='')"
    table = subprocess.check_output([sys.executable, "-c", code], cwd=DOCS, text=True)
    assert table in PAGE, "run: python docs/runloop_routes.py"


def test_document_of_the_model_is_current() -> None:
    """``python docs/runloop_openapi.py`` would change nothing, and the document is valid."""
    from openapi_spec_validator import validate  # its import takes a second

    code = "import runloop_openapi; print(runloop_openapi.text(), end='')"
    text = subprocess.check_output([sys.executable, "-c", code], cwd=DOCS, text=True, encoding="utf-8")
    assert text == (DOCS / "runloop-openapi.json").read_text(encoding="utf-8"), "run docs/runloop_openapi.py"
    document = json.loads(text)
    validate(document)
    methods = [f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item]
    assert len(ROUTES) == len(set(methods))


def test_every_method_is_in_the_table_of_names() -> None:
    """A user of the official client finds each name."""
    classes = (Blueprint, CommandInterface, Devbox, DevboxOps, Execution, ExecutionResult, FileInterface)
    stored = (Agent, AgentOps, Secret, SecretOps, StorageObject, StorageObjectOps)
    for cls in (*classes, *stored, *SCORING, NetworkInterface, Snapshot):
        for name in vars(cls):
            if not name.startswith("_"):
                assert name in NAMES, f"{cls.__name__}.{name}"
    for name in inspect.signature(RunloopSDK).parameters:
        assert name in NAMES, name


def test_public_names() -> None:
    """Each export shows its public module and has a docstring; the values are frozen."""
    for name in buntime.runloop.__all__:
        value = getattr(buntime.runloop, name)
        assert value.__module__ in {"buntime", "buntime.runloop"}, name
        assert value.__doc__, name
        if isinstance(value, type) and issubclass(value, View):
            assert attrs.has(value)
