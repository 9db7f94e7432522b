"""Builds the fields of a scenario step by step."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Callable, Generic, Optional, TypeVar

from buntime import _validate
from buntime._http import BufferedResponse, Headers
from buntime._support.unpicklable import NotPicklable
from buntime.runloop.devbox import Blueprint, Snapshot
from buntime.runloop.resource import Resource
from buntime.runloop.wire.views.scoring import ScenarioPreviewView

S = TypeVar("S", bound=Resource[Any])
Self = TypeVar("Self", bound="ScenarioBuilder[Any]")


def _id(name: str, resource: Resource[Any]) -> str:
    if not isinstance(resource, Resource):
        raise TypeError(f"{name} must be an object of the client, not {type(resource).__name__}")
    return resource.id


class ScenarioBuilder(NotPicklable, Generic[S]):
    """A scenario that is not created yet. Each method but the last three returns the builder."""

    def __init__(self, name: str, create: Callable[..., S]) -> None:
        self._create = create
        self._fields: dict[str, Any] = {"name": name, "metadata": {}}
        self._context: dict[str, Any] = {}
        self._environment: dict[str, Any] = {}
        self._functions: list[dict[str, Any]] = []

    def __repr__(self) -> str:
        return f"<ScenarioBuilder name={self.name!r}>"

    @property
    def name(self) -> str:
        """The name of the scenario."""
        return str(self._fields["name"])

    def _set(self: Self, target: dict[str, Any], **values: Any) -> Self:
        target.update(values)
        return self

    def from_blueprint(self: Self, blueprint: Blueprint) -> Self:
        """Start the devboxes from a blueprint, and from no snapshot."""
        return self._set(self._environment, blueprint_id=_id("blueprint", blueprint), snapshot_id=None)

    def from_snapshot(self: Self, snapshot: Snapshot) -> Self:
        """Start the devboxes from a snapshot, and from no blueprint."""
        return self._set(self._environment, snapshot_id=_id("snapshot", snapshot), blueprint_id=None)

    def with_working_directory(self: Self, directory: str) -> Self:
        """Set the folder in which the scorers run."""
        return self._set(self._environment, working_directory=directory)

    def with_problem_statement(self: Self, statement: str) -> Self:
        """Set the task of the agent, which is required."""
        return self._set(self._context, problem_statement=statement)

    def with_additional_context(self: Self, context: object) -> Self:
        """Add JSON values for the agent, such as hints."""
        return self._set(self._context, additional_context=context)

    def with_metadata(self: Self, metadata: Mapping[str, str]) -> Self:
        """Set the metadata."""
        return self._set(self._fields, metadata=dict(metadata))

    def with_reference_output(self: Self, output: str) -> Self:
        """Set a solution that gets the score 1."""
        return self._set(self._fields, reference_output=output)

    def with_required_env_vars(self: Self, env_vars: Iterable[str]) -> Self:
        """Set the environment variables without which no run starts."""
        return self._set(self._fields, required_environment_variables=list(env_vars))

    def with_required_secrets(self: Self, secrets: Iterable[str]) -> Self:
        """Set the secrets without which no run starts."""
        return self._set(self._fields, required_secret_names=list(secrets))

    def with_validation_type(self: Self, validation_type: str) -> Self:
        """Set how the solution is validated: ``UNSPECIFIED``, ``FORWARD``, ``REVERSE`` or ``EVALUATION``."""
        return self._set(self._fields, validation_type=validation_type)

    def _add(self: Self, name: str, weight: float, kind: str, **scorer: Any) -> Self:
        if not 0 < _validate.number("weight", weight) < math.inf:
            raise ValueError(f"weight of the scorer {name!r} is {weight}, and must be above 0 and finite")
        present = {field: value for field, value in scorer.items() if value is not None}
        self._functions.append({"name": name, "weight": weight, "scorer": {"type": kind, **present}})
        return self

    def add_shell_command_scorer(self: Self, name: str, *, command: str, weight: float = 1.0) -> Self:
        """Add a command: its exit status 0 is the score 1, any other 0."""
        return self._add(name, weight, "command_scorer", command=command)

    def add_bash_script_scorer(self: Self, name: str, *, bash_script: str, weight: float = 1.0) -> Self:
        """Add a script that prints ``score=0.5``."""
        return self._add(name, weight, "bash_script_scorer", bash_script=bash_script)

    def add_python_script_scorer(
        self: Self,
        name: str,
        *,
        python_script: str,
        weight: float = 1.0,
        python_version_constraint: Optional[str] = None,
        requirements_contents: Optional[str] = None,
    ) -> Self:
        """Add a script in Python that prints a score; its requirements are installed before."""
        environment = {
            "python_version_constraint": python_version_constraint,
            "requirements_contents": requirements_contents,
        }
        return self._add(name, weight, "python_script_scorer", python_script=python_script, **environment)

    def add_test_command_scorer(
        self: Self,
        name: str,
        *,
        test_command: str,
        weight: float = 1.0,
        test_files: Optional[Iterable[Mapping[str, str]]] = None,
    ) -> Self:
        """Add tests: files with ``file_path`` and ``file_contents`` are written, then the command runs."""
        files = [dict(file) for file in test_files or ()] or None
        return self._add(name, weight, "test_based_scorer", test_command=test_command, test_files=files)

    def add_custom_scorer(
        self: Self,
        name: str,
        *,
        custom_scorer_type: str,
        weight: float = 1.0,
        scorer_params: Optional[object] = None,
    ) -> Self:
        """Add a scorer of your own by its type; its script gets the parameters."""
        fields = {"custom_scorer_type": custom_scorer_type, "scorer_params": scorer_params}
        return self._add(name, weight, "custom_scorer", **fields)

    def add_ast_grep_scorer(
        self: Self,
        name: str,
        *,
        pattern: str,
        weight: float = 1.0,
        search_directory: str = ".",
        lang: Optional[str] = None,
    ) -> Self:
        """Add a search for code of a pattern."""
        fields = {"pattern": pattern, "search_directory": search_directory, "lang": lang}
        return self._add(name, weight, "ast_grep_scorer", **fields)

    def build(self) -> dict[str, Any]:
        """Return the fields of ``scenario.create``; the weights add up to 1.

        Raises ``ValueError`` without a problem statement or a scorer.
        """
        if not self._context.get("problem_statement"):
            raise ValueError("the scenario has no problem statement; call with_problem_statement()")
        if not self._functions:
            raise ValueError("the scenario has no scorer; call add_test_command_scorer() or another one")
        return self._built("environment_parameters")

    def _built(self, environment_field: str) -> dict[str, Any]:
        total = sum(function["weight"] for function in self._functions)
        functions = [{**function, "weight": function["weight"] / total} for function in self._functions]
        environment = {name: value for name, value in self._environment.items() if value is not None}
        return {
            **self._fields,
            "input_context": dict(self._context),
            "scoring_contract": {"scoring_function_parameters": functions},
            **({environment_field: environment} if environment else {}),
        }

    def preview(self) -> ScenarioPreviewView:
        """Return the scenario as it is now, even if it is incomplete; nothing is sent."""
        nothing = BufferedResponse(200, Headers(), b"")
        return ScenarioPreviewView.from_json(self._built("environment"), nothing)

    def push(self, **options: Any) -> S:
        """Create the scenario; see :meth:`build`."""
        return self._create(**self.build(), **options)
