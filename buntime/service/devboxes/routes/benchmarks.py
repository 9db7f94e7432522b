"""Benchmarks and their runs."""

from __future__ import annotations

from buntime._http import Response
from buntime.service.devboxes.context import Call
from buntime.service.devboxes.errors import invalid
from buntime.service.devboxes.model import Model
from buntime.service.devboxes.routes.records import Collection
from buntime.service.devboxes.routes.scenario_runs import check_provided, read_profile, run_details
from buntime.service.devboxes.routes.scenarios import REQUIRED, check_common, scenario_view
from buntime.service.devboxes.scoring import ALIVE, BenchmarkRun, Record
from buntime.service.devboxes.spec import strings
from buntime.service.requests import RequestFields
from buntime.service.responses import json_response


def _check(model: Model, fields: RequestFields) -> None:
    check_common(fields)
    for name in ("description", "attribution"):
        fields.optional_text(name)
    for scenario_id in strings(fields, "scenario_ids"):
        model.scenarios.get(scenario_id)


def _view(benchmark: Record) -> dict[str, object]:
    fields = {"metadata": {}, "status": "active", "is_public": False, **benchmark.fields}
    return {"id": benchmark.id, "scenarioIds": fields.pop("scenario_ids", []), **fields}


BENCHMARKS: Collection = Collection(
    "benchmarks",
    "bmd_",
    lambda model: model.benchmarks,
    ("name", "description", "attribution", "metadata", "scenario_ids", *REQUIRED),
    _check,
    _view,
    ("name",),
)


def definitions(call: Call) -> Response:
    """``GET /v1/benchmarks/{id}/definitions``: a page of its scenarios, in its order."""
    ids = call.model.benchmarks.get(*call.ids).fields.get("scenario_ids", [])
    return call.page("scenarios", (scenario_view(call.model.scenarios.get(each)) for each in ids))


def update_scenarios(call: Call) -> Response:
    """``POST /v1/benchmarks/{id}/scenarios``: add and remove scenarios."""
    benchmark = call.model.benchmarks.get(*call.ids)
    added, removed = (strings(call.body, f"scenarios_to_{verb}") for verb in ("add", "remove"))
    for scenario_id in added:
        call.model.scenarios.get(scenario_id)
    ids = dict.fromkeys([*benchmark.fields.get("scenario_ids", []), *added])
    benchmark.fields = {**benchmark.fields, "scenario_ids": [each for each in ids if each not in removed]}
    return json_response(_view(benchmark))


def start_run(call: Call) -> Response:
    """``POST /v1/benchmarks/start_run``; its scenarios are started one by one."""
    return json_response(call.model.benchmark_runs.get(call.once(lambda: _start(call))).view())


def _start(call: Call) -> str:
    benchmark = call.model.benchmarks.get(call.body.text("benchmark_id"))
    profile = read_profile(call.body)
    check_provided(benchmark, profile)
    details, now = run_details(call.body, profile), call.model.now_ms()
    run = BenchmarkRun(call.model.new_id("bmr_"), benchmark, details, profile, now)
    call.model.benchmark_runs.add(run)
    return run.id


def retrieve_run(call: Call) -> Response:
    """``GET /v1/benchmark_runs/{id}``."""
    return json_response(call.model.benchmark_runs.get(*call.ids).view())


def list_runs(call: Call) -> Response:
    """``GET /v1/benchmark_runs``: a page, the newest first."""
    rows = map(BenchmarkRun.view, call.model.benchmark_runs.newest_first())
    return call.page("runs", rows, ("benchmark_id", "name", "state"))


def list_scenario_runs(call: Call) -> Response:
    """``GET /v1/benchmark_runs/{id}/scenario_runs``: a page, the newest first."""
    runs = call.model.runs_of(call.model.benchmark_runs.get(*call.ids))
    return call.page("runs", (run.view() for run in runs), ("state",))


def complete(call: Call) -> Response:
    """``POST /v1/benchmark_runs/{id}/complete``: also its scenario runs; a 400 while one is being scored."""
    return _end(call, "completed")


def cancel(call: Call) -> Response:
    """``POST /v1/benchmark_runs/{id}/cancel``: also its scenario runs."""
    return _end(call, "canceled")


def _end(call: Call, state: str) -> Response:
    benchmark_run = call.model.benchmark_runs.get(*call.ids)
    if benchmark_run.state != "running":
        raise invalid(f"Benchmark run {benchmark_run.id} is {benchmark_run.state}")
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
    return json_response(benchmark_run.view())
