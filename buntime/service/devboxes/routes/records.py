"""Scenarios, scorers and benchmarks, which are only stored."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Callable

import attrs

from buntime.service.devboxes.context import JSON, Call, Collection
from buntime.service.devboxes.errors import invalid
from buntime.service.devboxes.scoring import Record
from buntime.service.devboxes.spec import clean_text, environment_of, strings, texts, without_nulls
from buntime.service.requests import RequestFields

REQUIRED = ("required_environment_variables", "required_secret_names")
_COMMON = ("name", "metadata", *REQUIRED)
_TASK = ("input_context", "scoring_contract", "environment_parameters", "reference_output")
_MOST_SCORERS = 100
_VALIDATIONS = ("UNSPECIFIED", "FORWARD", "REVERSE", "EVALUATION")
_SCORERS = {
    "ast_grep_scorer": ("pattern", "search_directory"),
    "bash_script_scorer": ("bash_script",),
    "command_scorer": ("command",),
    "custom_scorer": ("custom_scorer_type",),
    "python_script_scorer": ("python_script",),
    "test_based_scorer": ("test_command",),
}
"""The required fields of each type of scorer."""


@attrs.frozen
class _Fields:
    """The fields of one kind of record. ``check`` raises a 400 for those that are wrong."""

    prefix: str
    names: tuple[str, ...]
    check: Callable[[Call, RequestFields], None]

    def create(self, call: Call) -> Record:
        """Return a new record."""
        return Record(call.model.new_id(self.prefix), self._read(call, {}))

    def update(self, call: Call, record: Record) -> None:
        """Change a record: what is absent stays."""
        record.fields = self._read(call, record.fields)

    def _read(self, call: Call, old: Mapping[str, Any]) -> JSON:
        new = {name: value for name, value in without_nulls(call.body.values).items() if name in self.names}
        # The input context, too, keeps what is absent.
        if isinstance(new.get("input_context"), dict):
            new["input_context"] = {**old.get("input_context", {}), **without_nulls(new["input_context"])}
        if "metadata" in new:
            new["metadata"] = texts(call.body, "metadata")
        if "environment_parameters" in new:
            new["environment_parameters"] = environment_of(call.body)
        fields = {**old, **new}
        self.check(call, RequestFields(fields))
        return fields


def _check_common(fields: RequestFields) -> None:
    fields.text("name")
    texts(fields, "metadata")
    for name in REQUIRED:
        strings(fields, name)


def _check_scenario(_call: Call, fields: RequestFields) -> None:
    _check_common(fields)
    RequestFields(fields.object("input_context"), prefix="input_context.").text("problem_statement")
    fields.optional_text("reference_output")
    fields.optional_integer("scorer_timeout_sec", 1)
    fields.optional_text("validation_type", _VALIDATIONS)
    environment_of(fields)
    contract = RequestFields(fields.object("scoring_contract"), prefix="scoring_contract.")
    functions = contract.array("scoring_function_parameters")
    if not 1 <= len(functions) <= _MOST_SCORERS:
        raise invalid(f"scoring_contract needs 1 to {_MOST_SCORERS} scoring_function_parameters")
    for index, function in enumerate(functions):
        _check_function(f"scoring_function_parameters[{index}]", function)


def _check_function(name: str, value: Any) -> None:
    if not isinstance(value, dict):
        raise invalid(f"{name} must be an object")
    function = RequestFields(value, prefix=f"{name}.")
    if not re.fullmatch("[a-zA-Z0-9_-]+", function.text("name")):
        raise invalid(f"{name}.name must have letters, digits, _ and - only")
    if function.optional_number("weight") is None:
        raise invalid(f"{name}.weight is required")
    scorer = RequestFields(function.object("scorer"), prefix=f"{name}.scorer.")
    for field in _SCORERS[scorer.text("type", _SCORERS)]:
        clean_text(scorer, field)
    scorer.optional_text("requirements_contents")
    for file in scorer.array("test_files"):
        test_file = RequestFields(file if isinstance(file, dict) else {}, prefix=f"{name}.scorer.test_files.")
        test_file.text("file_path")
        test_file.optional_text("file_contents")


def _check_scorer(call: Call, fields: RequestFields) -> None:
    kind, others = fields.text("type"), call.model.scorers.newest_first()
    clean_text(fields, "bash_script")
    if any(each.fields["type"] == kind and each.id not in call.ids for each in others):
        raise invalid(f"The type {kind} is taken")


def _check_benchmark(call: Call, fields: RequestFields) -> None:
    _check_common(fields)
    for name in ("description", "attribution"):
        fields.optional_text(name)
    for scenario_id in strings(fields, "scenario_ids"):
        call.model.scenarios.get(scenario_id)


def _scenario_view(scenario: Record) -> JSON:
    fields = {"metadata": {}, "status": "active", "scorer_timeout_sec": 1800, **scenario.fields}
    if "environment_parameters" in fields:
        fields["environment"] = fields.pop("environment_parameters")
    return {"id": scenario.id, "is_public": False, **fields}


def _scorer_view(scorer: Record) -> JSON:
    return {"id": scorer.id, **scorer.fields}


def _benchmark_view(benchmark: Record) -> JSON:
    fields = {"metadata": {}, "status": "active", "is_public": False, **benchmark.fields}
    return {"id": benchmark.id, "scenarioIds": fields.pop("scenario_ids", []), **fields}


_SCENARIO = _Fields("scn_", (*_COMMON, *_TASK, "scorer_timeout_sec", "validation_type"), _check_scenario)
SCENARIOS: Collection[Record] = Collection(
    "scenarios", _scenario_view, _SCENARIO.create, _SCENARIO.update, ("name", "validation_type")
)
_SCORER = _Fields("scs_", ("type", "bash_script"), _check_scorer)
SCORERS: Collection[Record] = Collection("scorers", _scorer_view, _SCORER.create, _SCORER.update)
_BENCHMARK = _Fields("bmd_", (*_COMMON, "description", "attribution", "scenario_ids"), _check_benchmark)
BENCHMARKS: Collection[Record] = Collection(
    "benchmarks", _benchmark_view, _BENCHMARK.create, _BENCHMARK.update, ("name",)
)


def list_scenarios(call: Call) -> JSON:
    """``GET /v1/scenarios``; also those of a benchmark."""
    benchmark_id = call.query.optional_text("benchmark_id")
    if not benchmark_id:
        return SCENARIOS.list(call)
    ids = call.model.benchmarks.get(benchmark_id).fields.get("scenario_ids", [])
    rows = map(_scenario_view, call.model.scenarios.newest_first())
    return call.page("scenarios", (row for row in rows if row["id"] in ids), SCENARIOS.exact)


def archive(call: Call) -> JSON:
    """``POST /v1/scenarios/{id}/archive``: it is not listed any more."""
    scenario = call.model.scenarios.get(*call.ids)
    scenario.fields = {**scenario.fields, "status": "archived"}
    return _scenario_view(scenario)


def definitions(call: Call) -> JSON:
    """``GET /v1/benchmarks/{id}/definitions``: a page of its scenarios, in its order."""
    ids = call.model.benchmarks.get(*call.ids).fields.get("scenario_ids", [])
    return call.page("scenarios", (_scenario_view(call.model.scenarios.get(each)) for each in ids))


def update_scenarios(call: Call) -> JSON:
    """``POST /v1/benchmarks/{id}/scenarios``: add and remove scenarios."""
    benchmark = call.model.benchmarks.get(*call.ids)
    added, removed = (strings(call.body, f"scenarios_to_{verb}") for verb in ("add", "remove"))
    for scenario_id in added:
        call.model.scenarios.get(scenario_id)
    ids = dict.fromkeys([*benchmark.fields.get("scenario_ids", []), *added])
    benchmark.fields = {**benchmark.fields, "scenario_ids": [each for each in ids if each not in removed]}
    return _benchmark_view(benchmark)
