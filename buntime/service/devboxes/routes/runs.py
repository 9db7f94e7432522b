"""Runs of scenarios on devboxes and of benchmarks, and the validation of scorers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from buntime._http import Response
from buntime._support.archive import ZIP, zip_bytes
from buntime.service.devboxes.context import JSON, Call, Collection
from buntime.service.devboxes.devbox import ENDED
from buntime.service.devboxes.errors import invalid
from buntime.service.devboxes.model import Model
from buntime.service.devboxes.routes.devboxes import log_rows, make_devbox
from buntime.service.devboxes.routes.files import bytes_response
from buntime.service.devboxes.routes.records import REQUIRED
from buntime.service.devboxes.scoring import ALIVE, BenchmarkRun, Record, ScenarioRun
from buntime.service.devboxes.spec import check_launch, environment_of, texts, without_nulls
from buntime.service.requests import RequestFields

_VALIDATION_SECONDS = 600


def _start(call: Call) -> ScenarioRun:
    """Create a devbox for a run, which is booting."""
    model, fields = call.model, call.body
    scenario = model.scenarios.get(fields.text("scenario_id"))
    profile = _read_profile(fields)
    benchmark_run_id = fields.optional_text("benchmark_run_id")
    benchmark_run = None if benchmark_run_id is None else model.benchmark_runs.get(benchmark_run_id)
    if benchmark_run is not None:
        _require_running(benchmark_run)
        if scenario.id not in benchmark_run.benchmark.fields.get("scenario_ids", []):
            raise invalid(f"Scenario {scenario.id} is not part of {benchmark_run.benchmark.id}")
        profile = _merged(benchmark_run.profile, profile)
    details = {**_details(fields, scenario, profile), "benchmark_run_id": benchmark_run_id}
    run = model.scenario_runs.add(_run(model, scenario, profile, details))
    if benchmark_run is not None and benchmark_run.state != "running":
        run.end("canceled")  # meanwhile, the benchmark run was
    return run


def _read_profile(fields: RequestFields) -> JSON:
    """Return the run profile in a body."""
    profile = without_nulls(fields.object("runProfile"))
    values = RequestFields(profile, prefix="runProfile.")
    profile.update({name: texts(values, name) for name in ("envVars", "secrets") if name in profile})
    check_launch(values.object("launchParameters"), values.object("envVars"))
    values.array("mounts")
    values.optional_text("purpose")
    return profile


def _merged(base: Mapping[str, Any], profile: Mapping[str, Any]) -> JSON:
    """Return a profile with the defaults of another one."""
    objects = ("envVars", "secrets", "launchParameters")
    merged = {name: {**base.get(name, {}), **profile.get(name, {})} for name in objects}
    mounts = [*base.get("mounts", ()), *profile.get("mounts", ())]
    return {**base, **profile, **merged, "mounts": mounts}


def _details(fields: RequestFields, record: Record, profile: Mapping[str, Any]) -> JSON:
    """Return the fields of a run that its request has.

    Raises a 400 if a variable or a secret is missing that the scenario or the benchmark requires.
    """
    variables, secrets = profile.get("envVars"), profile.get("secrets")
    provided = (variables or {}, {*(secrets or ()), *(secrets or {}).values()})
    for name, values in zip(REQUIRED, provided):
        lacking = [each for each in record.fields.get(name) or () if each not in values]
        if lacking:
            raise invalid(f"runProfile lacks {', '.join(lacking)}, which {record.id} has in {name}")
    return {
        "name": fields.optional_text("run_name"),
        "metadata": texts(fields, "metadata"),
        "purpose": profile.get("purpose"),
        "environment_variables": variables,
        "secrets_provided": secrets,
    }


def _run(model: Model, scenario: Record, profile: JSON, details: JSON) -> ScenarioRun:
    """Create a devbox in the environment of a scenario, and the run on it."""
    environment = environment_of(RequestFields(scenario.fields))
    launch = without_nulls(profile.get("launchParameters", {}))
    body = {
        "name": details.get("name") or scenario.fields.get("name"),
        "environment_variables": profile.get("envVars"),
        "launch_parameters": {**environment.get("launch_parameters", {}), **launch},
        **{name: profile.get(name) for name in ("secrets", "mounts")},
        **{name: environment.get(name) for name in ("blueprint_id", "snapshot_id")},
    }
    devbox = make_devbox(model, RequestFields(body))
    return ScenarioRun(model.new_id("scr_"), devbox, scenario, details, model.script)


SCENARIO_RUNS: Collection[ScenarioRun] = Collection(
    "scenario_runs", ScenarioRun.view, _start, exact=("scenario_id", "state", "name", "benchmark_run_id")
)


def score(call: Call) -> JSON:
    """``POST /v1/scenarios/runs/{id}/score``: start the scorers."""
    run = call.model.scenario_runs.get(*call.ids)
    with run.devbox.lock:
        run.score()
        return run.view()


def complete(call: Call) -> JSON:
    """``POST /v1/scenarios/runs/{id}/complete``: end the run and its devbox."""
    return _end(call, "completed", "running", "scored")


def cancel(call: Call) -> JSON:
    """``POST /v1/scenarios/runs/{id}/cancel``: end the run and its devbox, also while it is scored."""
    return _end(call, "canceled", *ALIVE)


def _end(call: Call, state: str, *states: str) -> JSON:
    run = call.model.scenario_runs.get(*call.ids)
    with run.devbox.lock:
        run.require(*states)
        run.end(state)
    return run.view()


def download_logs(call: Call) -> Response:
    """``POST /v1/scenarios/runs/{id}/download_logs``: a zip file with the run and the log of its devbox."""
    run = call.model.scenario_runs.get(*call.ids)
    files = {"scenario_run": run.view(), "devbox_logs": log_rows(run.devbox)}
    return bytes_response(zip_bytes({f"{name}.json": {"json": value} for name, value in files.items()}), ZIP)


def validate(call: Call) -> JSON:
    """``POST /v1/scenarios/scorers/{id}/validate``: run a scorer on a new devbox, which is then removed."""
    scorer = call.model.scorers.get(*call.ids)
    context, kind = call.body.values.get("scoring_context"), scorer.fields["type"]
    if context is None:
        raise invalid("scoring_context is required")
    custom = {"type": "custom_scorer", "custom_scorer_type": kind, "scorer_params": context}
    contract = {"scoring_function_parameters": [{"name": kind, "weight": 1, "scorer": custom}]}
    environment = environment_of(call.body)
    fields = {"scorer_timeout_sec": _VALIDATION_SECONDS, "environment_parameters": environment}
    run = _run(call.model, Record(scorer.id, {"scoring_contract": contract, **fields}), {}, {})
    try:
        run.devbox.hold(lambda: run.devbox.status in {"running", *ENDED}, None, call.request.read_timeout)
        run.score()
        run.devbox.hold(lambda: run.settle() != "scoring", None, call.request.read_timeout)
    finally:
        run.end("completed")
    result = {"name": kind, "scoring_context": context, "scoring_result": run.results[0]}
    return {**result, **({"environment_parameters": environment} if environment else {})}


def _start_benchmark(call: Call) -> BenchmarkRun:
    benchmark = call.model.benchmarks.get(call.body.text("benchmark_id"))
    profile = _read_profile(call.body)
    details = _details(call.body, benchmark, profile)
    return BenchmarkRun(call.model.new_id("bmr_"), benchmark, details, profile, call.model.now_ms())


BENCHMARK_RUNS: Collection[BenchmarkRun] = Collection(
    "benchmark_runs", BenchmarkRun.view, _start_benchmark, exact=("benchmark_id", "name", "state")
)


def list_scenario_runs(call: Call) -> JSON:
    """``GET /v1/benchmark_runs/{id}/scenario_runs``: a page, the newest first."""
    runs = call.model.runs_of(call.model.benchmark_runs.get(*call.ids))
    return call.page("runs", map(ScenarioRun.view, runs), ("state",))


def end_benchmark_run(call: Call) -> JSON:
    """``POST /v1/benchmark_runs/{id}/complete`` and ``cancel``.

    Completes or cancels its scenario runs too; a 400 to complete it while one is being scored.
    """
    state = "canceled" if call.request.path.endswith("/cancel") else "completed"
    benchmark_run = call.model.benchmark_runs.get(*call.ids)
    _require_running(benchmark_run)
    views = [run.view() for run in call.model.runs_of(benchmark_run)]
    scoring = [view["id"] for view in views if view["state"] == "scoring"]
    if scoring and state == "completed":
        raise invalid(f"Scenario run {scoring[0]} is scoring")
    benchmark_run.state, benchmark_run.duration_ms = state, call.model.now_ms() - benchmark_run.start_time_ms
    for run in call.model.runs_of(benchmark_run):
        with run.devbox.lock:
            if run.settle() in ALIVE:
                run.end(state)
    if views and state == "completed":
        scores = [view.get("scoring_contract_result", {"score": 0.0})["score"] for view in views]
        benchmark_run.score = sum(scores) / len(scores)
    return benchmark_run.view()


def _require_running(benchmark_run: BenchmarkRun) -> None:
    if benchmark_run.state != "running":
        raise invalid(f"Benchmark run {benchmark_run.id} is {benchmark_run.state}")
