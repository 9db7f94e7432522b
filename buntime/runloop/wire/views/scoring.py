"""Scenarios, scorers and benchmarks, and their runs. Scores are from 0 to 1."""

from __future__ import annotations

from typing import Any, Optional

import attrs

from buntime.runloop.wire.views.base import View
from buntime.runloop.wire.views.devboxes import LaunchParametersView


class InputContextView(View):
    """The task of an agent."""

    problem_statement: Optional[str] = None
    additional_context: Any = None


class ScoringFunctionView(View):
    """One scorer of a scenario; ``scorer.type`` is its kind."""

    name: Optional[str] = None
    weight: Optional[float] = None
    scorer: Optional[View] = None


class ScoringContractView(View):
    """The scorers of a scenario."""

    scoring_function_parameters: list[ScoringFunctionView] = attrs.field(factory=list)


class ScenarioEnvironmentView(View):
    """What the devbox of a run starts from, and the folder of its scorers."""

    blueprint_id: Optional[str] = None
    snapshot_id: Optional[str] = None
    launch_parameters: Optional[LaunchParametersView] = None
    working_directory: Optional[str] = None


class _DefinitionView(View):
    """A scenario or a benchmark, and what its runs must be started with."""

    name: Optional[str] = None
    metadata: dict[str, str] = attrs.field(factory=dict)
    status: Optional[str] = None
    is_public: Optional[bool] = None
    required_environment_variables: Optional[list[str]] = None
    required_secret_names: Optional[list[str]] = None


class ScenarioPreviewView(_DefinitionView):
    """A scenario that a builder has not created yet."""

    input_context: Optional[InputContextView] = None
    scoring_contract: Optional[ScoringContractView] = None
    environment: Optional[ScenarioEnvironmentView] = None
    reference_output: Optional[str] = None
    scorer_timeout_sec: Optional[int] = None
    validation_type: Optional[str] = None


class ScenarioView(ScenarioPreviewView):
    """A scenario: a task for an agent, an environment, and scorers."""

    id: str


class ScoringFunctionResultView(View):
    """The result of one scorer; ``state`` is ``complete``, ``error`` or ``unknown``."""

    scoring_function_name: Optional[str] = None
    score: Optional[float] = None
    state: Optional[str] = None
    output: Optional[str] = None


class ScoringContractResultView(View):
    """The score of a run, and the results of its scorers."""

    score: Optional[float] = None
    scoring_function_results: list[ScoringFunctionResultView] = attrs.field(factory=list)


class _RunView(View):
    id: str
    state: str
    name: Optional[str] = None
    metadata: dict[str, str] = attrs.field(factory=dict)
    start_time_ms: Optional[int] = None
    duration_ms: Optional[int] = None
    purpose: Optional[str] = None
    environment_variables: Optional[dict[str, str]] = None
    secrets_provided: Optional[dict[str, str]] = None


class ScenarioRunView(_RunView):
    """A run of a scenario.

    ``state`` is running, scoring, scored, or at its end completed, canceled, timeout or failed.
    """

    devbox_id: str
    scenario_id: Optional[str] = None
    benchmark_run_id: Optional[str] = None
    scoring_contract_result: Optional[ScoringContractResultView] = None


class ScorerView(View):
    """A scorer of your own: a script that gets a context in ``RL_SCORER_CONTEXT`` and prints a score."""

    id: str
    type: Optional[str] = None
    bash_script: Optional[str] = None


class ScorerValidationView(View):
    """The result of a scorer for a context."""

    name: Optional[str] = None
    scoring_context: Any = None
    scoring_result: Optional[ScoringFunctionResultView] = None
    environment_parameters: Optional[ScenarioEnvironmentView] = None


class BenchmarkView(_DefinitionView):
    """A benchmark: a set of scenarios."""

    id: str
    scenario_ids: list[str] = attrs.field(factory=list)
    description: Optional[str] = None
    attribution: Optional[str] = None


class BenchmarkRunView(_RunView):
    """A run of a benchmark: running, completed, canceled or failed. It has the mean of its runs' scores."""

    benchmark_id: Optional[str] = None
    score: Optional[float] = None
