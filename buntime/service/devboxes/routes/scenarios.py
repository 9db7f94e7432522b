"""Scenarios and scorers."""

from __future__ import annotations

import re
from typing import Any

from buntime._http import Response
from buntime.service.devboxes.context import Call
from buntime.service.devboxes.errors import invalid
from buntime.service.devboxes.model import Model
from buntime.service.devboxes.routes.records import Collection
from buntime.service.devboxes.scoring import Record
from buntime.service.devboxes.spec import environment_of, strings, texts
from buntime.service.requests import RequestFields
from buntime.service.responses import json_response

REQUIRED = ("required_environment_variables", "required_secret_names")
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


def _check_scenario(_model: Model, fields: RequestFields) -> None:
    check_common(fields)
    RequestFields(fields.object("input_context"), prefix="input_context.").text("problem_statement")
    fields.optional_text("reference_output")
    fields.optional_integer("scorer_timeout_sec", 1)
    validation = fields.optional_text("validation_type")
    if validation not in {None, *_VALIDATIONS}:
        raise invalid(f"validation_type must be one of {', '.join(_VALIDATIONS)}")
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
    kind = scorer.text("type")
    if kind not in _SCORERS:
        raise invalid(f"{name}.scorer.type must be one of {', '.join(_SCORERS)}")
    for field in _SCORERS[kind]:
        if "\0" in scorer.text(field):
            raise invalid(f"{name}.scorer.{field} must not hold a NUL")
    scorer.optional_text("requirements_contents")
    for file in scorer.array("test_files"):
        test_file = RequestFields(file if isinstance(file, dict) else {}, prefix=f"{name}.scorer.test_files.")
        test_file.text("file_path")
        test_file.optional_text("file_contents")


def check_common(fields: RequestFields) -> None:
    """Check the fields that scenarios and benchmarks share."""
    fields.text("name")
    texts(fields, "metadata")
    for name in REQUIRED:
        strings(fields, name)


def _check_scorer(_model: Model, fields: RequestFields) -> None:
    fields.text("type")
    if "\0" in fields.text("bash_script"):
        raise invalid("bash_script must not hold a NUL")


def scenario_view(scenario: Record) -> dict[str, Any]:
    """Return the fields of a scenario."""
    fields = {"metadata": {}, "status": "active", "scorer_timeout_sec": 1800, **scenario.fields}
    if "environment_parameters" in fields:
        fields["environment"] = fields.pop("environment_parameters")
    return {"id": scenario.id, "is_public": False, **fields}


SCENARIOS: Collection = Collection(
    "scenarios",
    "scn_",
    lambda model: model.scenarios,
    (
        *(
            "name",
            "input_context",
            "scoring_contract",
            "environment_parameters",
            "metadata",
            "reference_output",
        ),
        *("scorer_timeout_sec", "validation_type", *REQUIRED),
    ),
    _check_scenario,
    scenario_view,
    ("name", "validation_type"),
)
SCORERS: Collection = Collection(
    "scorers",
    "scs_",
    lambda model: model.scorers,
    ("type", "bash_script"),
    _check_scorer,
    lambda record: {"id": record.id, **record.fields},
    unique="type",
)


def list_scenarios(call: Call) -> Response:
    """``GET /v1/scenarios``; also those of a benchmark."""
    benchmark_id = call.query.optional_text("benchmark_id")
    if not benchmark_id:
        return SCENARIOS.list(call)
    ids = call.model.benchmarks.get(benchmark_id).fields.get("scenario_ids", [])
    rows = map(scenario_view, call.model.scenarios.newest_first())
    return call.page("scenarios", (row for row in rows if row["id"] in ids), SCENARIOS.filters)


def archive(call: Call) -> Response:
    """``POST /v1/scenarios/{id}/archive``: it is not listed any more."""
    scenario = call.model.scenarios.get(*call.ids)
    scenario.fields = {**scenario.fields, "status": "archived"}
    return json_response(scenario_view(scenario))
