"""Runs of scenarios on devboxes, and the validation of scorers."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

from buntime._http import Response
from buntime.service.devboxes.context import Call
from buntime.service.devboxes.devbox import ENDED
from buntime.service.devboxes.errors import invalid
from buntime.service.devboxes.model import Model
from buntime.service.devboxes.routes.devboxes import log_rows, make_devbox
from buntime.service.devboxes.routes.files import bytes_response
from buntime.service.devboxes.routes.scenarios import REQUIRED
from buntime.service.devboxes.scoring import ALIVE, Record, ScenarioRun
from buntime.service.devboxes.spec import check_launch, environment_of, texts, without_nulls
from buntime.service.requests import RequestFields
from buntime.service.responses import json_response

_VALIDATION_SECONDS = 600


def read_profile(fields: RequestFields) -> dict[str, Any]:
    """Return the run profile in a body."""
    profile = without_nulls(fields.object("runProfile"))
    values = RequestFields(profile, prefix="runProfile.")
    profile.update({name: texts(values, name) for name in ("envVars", "secrets") if name in profile})
    check_launch(values.object("launchParameters"), values.object("envVars"))
    values.array("mounts")
    values.optional_text("purpose")
    return profile


def run_details(fields: RequestFields, profile: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a run that its request has."""
    return {
        "name": fields.optional_text("run_name"),
        "metadata": texts(fields, "metadata"),
        "purpose": profile.get("purpose"),
        "environment_variables": profile.get("envVars"),
        "secrets_provided": profile.get("secrets"),
    }


def check_provided(record: Record, profile: Mapping[str, Any]) -> None:
    """Raise a 400 if a variable or a secret is missing that a scenario or a benchmark requires."""
    secrets = profile.get("secrets", {})
    provided = (profile.get("envVars", {}), {*secrets, *secrets.values()})
    for name, values in zip(REQUIRED, provided):
        lacking = [each for each in record.fields.get(name) or () if each not in values]
        if lacking:
            raise invalid(f"runProfile lacks {', '.join(lacking)}, which {record.id} has in {name}")


def start_run(call: Call) -> Response:
    """``POST /v1/scenarios/start_run``: create a devbox for it, which is booting."""
    return json_response(call.model.scenario_runs.get(call.once(lambda: _start(call).id)).view())


def _start(call: Call) -> ScenarioRun:
    model, fields = call.model, call.body
    scenario = model.scenarios.get(fields.text("scenario_id"))
    profile = read_profile(fields)
    benchmark_run_id = fields.optional_text("benchmark_run_id")
    benchmark_run = None if benchmark_run_id is None else model.benchmark_runs.get(benchmark_run_id)
    if benchmark_run is not None:
        if benchmark_run.state != "running":
            raise invalid(f"Benchmark run {benchmark_run.id} is {benchmark_run.state}")
        if scenario.id not in benchmark_run.benchmark.fields.get("scenario_ids", []):
            raise invalid(f"Scenario {scenario.id} is not part of {benchmark_run.benchmark.id}")
        profile = _merged(benchmark_run.profile, profile)
    check_provided(scenario, profile)
    details = {**run_details(fields, profile), "benchmark_run_id": benchmark_run_id}
    run = _run(model, scenario, profile, details)
    model.scenario_runs.add(run)
    if benchmark_run is not None and benchmark_run.state != "running":
        run.end("canceled")  # meanwhile, the benchmark run was
    return run


def _merged(base: Mapping[str, Any], profile: Mapping[str, Any]) -> dict[str, Any]:
    """Return a profile with the defaults of another one."""
    objects = ("envVars", "secrets", "launchParameters")
    merged = {name: {**base.get(name, {}), **profile.get(name, {})} for name in objects}
    mounts = [*base.get("mounts", ()), *profile.get("mounts", ())]
    return {**base, **profile, **merged, "mounts": mounts}


def _run(
    model: Model, scenario: Record, profile: Mapping[str, Any], details: Mapping[str, Any]
) -> ScenarioRun:
    """Create a devbox in the environment of a scenario, and the run on it."""
    environment = environment_of(RequestFields(scenario.fields))
    body = {
        "name": details.get("name") or scenario.fields.get("name"),
        "environment_variables": profile.get("envVars"),
        "secrets": profile.get("secrets"),
        "mounts": profile.get("mounts"),
        "launch_parameters": {
            **without_nulls(environment.get("launch_parameters", {})),
            **without_nulls(profile.get("launchParameters", {})),
        },
        "blueprint_id": environment.get("blueprint_id"),
        "snapshot_id": environment.get("snapshot_id"),
    }
    devbox = make_devbox(model, RequestFields(body))
    return ScenarioRun(model.new_id("scr_"), devbox, scenario, details, model.script, model.new_id)


def retrieve_run(call: Call) -> Response:
    """``GET /v1/scenarios/runs/{id}``."""
    return json_response(call.model.scenario_runs.get(*call.ids).view())


def list_runs(call: Call) -> Response:
    """``GET /v1/scenarios/runs``: a page, the newest first."""
    rows = (run.view() for run in call.model.scenario_runs.newest_first())
    return call.page("runs", rows, ("scenario_id", "state", "name", "benchmark_run_id"))


def score(call: Call) -> Response:
    """``POST /v1/scenarios/runs/{id}/score``: start the scorers."""
    run = call.model.scenario_runs.get(*call.ids)
    with run.devbox.lock:
        run.score()
        return json_response(run.view())


def complete(call: Call) -> Response:
    """``POST /v1/scenarios/runs/{id}/complete``: end the run and its devbox."""
    return _end(call, "completed", "running", "scored")


def cancel(call: Call) -> Response:
    """``POST /v1/scenarios/runs/{id}/cancel``: end the run and its devbox, also while it is scored."""
    return _end(call, "canceled", *ALIVE)


def _end(call: Call, state: str, *states: str) -> Response:
    run = call.model.scenario_runs.get(*call.ids)
    with run.devbox.lock:
        run.require(*states)
        run.end(state)
    return json_response(run.view())


def download_logs(call: Call) -> Response:
    """``POST /v1/scenarios/runs/{id}/download_logs``: a zip file with the run and the log of its devbox."""
    run = call.model.scenario_runs.get(*call.ids)
    files = {"scenario_run.json": run.view(), "devbox_logs.json": log_rows(run.devbox)}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive_file:
        for name, value in files.items():
            archive_file.writestr(zipfile.ZipInfo(name), json.dumps(value, indent=2), zipfile.ZIP_DEFLATED)
    return bytes_response(buffer.getvalue(), "application/zip")


def validate(call: Call) -> Response:
    """``POST /v1/scenarios/scorers/{id}/validate``: run a scorer on a new devbox, which is then removed."""
    scorer = call.model.scorers.get(*call.ids)
    context, kind = call.body.values.get("scoring_context"), scorer.fields["type"]
    if context is None:
        raise invalid("scoring_context is required")
    custom = {"type": "custom_scorer", "custom_scorer_type": kind, "scorer_params": context}
    environment = environment_of(call.body)
    scenario = Record(
        scorer.id,
        {
            "scoring_contract": {
                "scoring_function_parameters": [{"name": kind, "weight": 1, "scorer": custom}]
            },
            "scorer_timeout_sec": _VALIDATION_SECONDS,
            "environment_parameters": environment,
        },
    )
    run = _run(call.model, scenario, {}, {})
    try:
        run.devbox.hold(lambda: run.devbox.status in {"running", *ENDED}, None, call.request.read_timeout)
        run.score()
        run.devbox.hold(lambda: run.settle() != "scoring", None, call.request.read_timeout)
    finally:
        run.end("completed")
    result = {"name": kind, "scoring_context": context, "scoring_result": run.results[0]}
    return json_response({**result, **({"environment_parameters": environment} if environment else {})})
