"""Generated requests from docs/runloop-openapi.json to the model on a fake; see test_schemathesis.py.

With ``HYPOTHESIS_PROFILE=search`` there are many more, with random values and every boundary of each field.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import schemathesis
import schemathesis.checks
from hypothesis import HealthCheck, settings

from buntime._http import Request, Secret
from buntime.service.server.access import AccessControl
from buntime.service.server.wsgi import application
from buntime.transport import FakeTransport
from tests.support import effort

_KEY = "rk_of_schemathesis"
_EXAMPLES = max(6, effort.examples(24))
_BOUNDED = settings(
    max_examples=_EXAMPLES,
    deadline=None,
    database=None,
    derandomize=_EXAMPLES <= 24,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
# A schema cannot express that an id exists, or that only one of two fields is set.
# A 501 is documented: it is a request beyond the model.
_EXCLUDED = [schemathesis.checks.positive_data_acceptance, schemathesis.checks.not_a_server_error]

_fake = FakeTransport()
_fake.on_execute(command=re.compile(""), stdout="score=0.5\n")
_FILE = "a.txt"
_JSON = (("Content-Type", "application/json"),)


def _post(path: str, **body: Any) -> Any:
    response = _fake.send(Request("POST", f"/v1/{path}", headers=_JSON, body=json.dumps(body).encode()))
    content = response.read()
    assert 200 == response.status, content
    return json.loads(content)


def _object() -> str:
    created = _post("objects", name="data", content_type="text")
    path, _, query = created["upload_url"].partition("/v1/")[2].partition("?")
    pairs = tuple(pair.split("=", 1) for pair in query.split("&"))
    _fake.send(Request("PUT", f"/v1/{path}", pairs, body=b"data")).read()
    return str(created["id"])


def _complete_object() -> str:
    return str(_post(f"objects/{_object()}/complete")["id"])


def _scenario() -> str:
    function = {"name": "s", "weight": 1, "scorer": {"type": "bash_script_scorer", "bash_script": "true"}}
    return str(
        _post(
            "scenarios",
            name="task",
            input_context={"problem_statement": "?"},
            scoring_contract={"scoring_function_parameters": [function]},
        )["id"]
    )


def _suspended() -> str:
    devbox_id: str = _new["devboxes"]()
    _post(f"devboxes/{devbox_id}/suspend")
    return devbox_id


def _secret() -> str:
    name = f"secret-{next(_numbers)}"
    _post("secrets", name=name, value="v")
    return name


def _run() -> str:
    run = _post("scenarios/start_run", scenario_id=_scenario())
    _post(f"devboxes/{run['devbox_id']}/wait_for_status", statuses=["running"])
    return str(run["id"])


def _scored_run() -> str:
    run_id = _run()
    _post(f"scenarios/runs/{run_id}/score")
    _fake.advance(1)
    return run_id


_numbers = iter(range(10**9))
_new: dict[str, Any] = {
    "devboxes": lambda: _post("devboxes/create_and_await_running", file_mounts={_FILE: "x"})["id"],
    "devboxes/disk_snapshots": lambda: _post(f"devboxes/{_new['devboxes']()}/snapshot_disk")["id"],
    "blueprints": lambda: _post("blueprints", name="image")["id"],
    "objects": _complete_object,
    "agents": lambda: _post("agents", name="agent")["id"],
    "secrets": _secret,
    "scenarios": _scenario,
    "scenarios/runs": _run,
    "scenarios/scorers": lambda: _post(
        "scenarios/scorers", type=f"type-{next(_numbers)}", bash_script="echo 1"
    )["id"],
    "benchmarks": lambda: _post("benchmarks", name="all", scenario_ids=[_scenario()])["id"],
    "benchmark_runs": lambda: _post("benchmarks/start_run", benchmark_id=_new["benchmarks"]())["id"],
}
"""Creates a resource, by the start of the paths that have its id."""
_SPECIAL: dict[str, Any] = {
    "devboxes.resume": _suspended,
    "objects.complete": _object,
    "scenarios.runs.complete": _scored_run,
}
"""Creates a resource in the state that a call needs."""
_FIELDS = {
    "blueprint_id": "blueprints",
    "base_blueprint_id": "blueprints",
    "snapshot_id": "devboxes/disk_snapshots",
    "object_id": "objects",
    "agent_id": "agents",
    "scenario_id": "scenarios",
    "benchmark_id": "benchmarks",
    "scenario_ids": "scenarios",
    "scenarios_to_add": "scenarios",
    "scenarios_to_remove": "scenarios",
}
_shared = cache(lambda kind: _new[kind]())


def _execution(devbox_id: str) -> str:
    return str(
        _post(f"devboxes/{devbox_id}/execute_async", command="true", attach_stdin=True)["execution_id"]
    )


def _use_existing(case: Any) -> None:
    """Replace generated ids with existing ones, to get further than 404; changes get a resource for each."""
    call, path = case.operation.definition.raw["operationId"], case.path.removeprefix("/v1/").split("/{")[0]
    for name in case.path_parameters:
        if isinstance(case.path_parameters[name], str) and path in _new:
            make = _SPECIAL.get(call, _new[path])
            case.path_parameters[name] = _shared(path) if case.method == "GET" else make()
    if "execution_id" in case.path_parameters and isinstance(case.path_parameters["devbox_id"], str):
        case.path_parameters["execution_id"] = _execution(case.path_parameters["devbox_id"])
    if case.meta is None or case.meta.generation.mode.is_positive:
        _replace(case.body)
        if call.endswith("send_std_in") and isinstance(case.body, dict):
            case.body = {**case.body, "text": "line", "signal": None}


def _replace(value: Any) -> None:
    for name, item in value.items() if isinstance(value, dict) else ():
        if name == "statuses" and isinstance(item, list):
            value[name] = ["running", *item]
        elif name in {"file_path", "path"} and isinstance(item, str):
            value[name] = _FILE
        elif name in _FIELDS and isinstance(item, str):
            value[name] = _shared(_FIELDS[name])
        elif name in _FIELDS and isinstance(item, list) and all(isinstance(each, str) for each in item):
            value[name] = [_shared(_FIELDS[name]) for _ in item[:1]]
        else:
            _replace(item)
    for item in value if isinstance(value, list) else ():
        _replace(item)


_ECHOED = {"InputContextView", "LaunchParametersView", "ScenarioEnvironmentView", "ScoringContractView"}
_ECHOED.add("ScoringFunctionView")
"""These are as the client sent them, with fields that the model does not know."""


def _prepare(node: Any) -> None:
    """Forbid fields that the document does not have, and show schemathesis the schema of events."""
    for name, view in node["components"]["schemas"].items():
        if name.endswith("View") and view["properties"] and name not in _ECHOED:
            view["additionalProperties"] = False
    for item in node["paths"].values():
        for operation in item.values():
            for media in operation["responses"]["200"].get("content", {}).values():
                media["schema"] = media.get("x-event", media["schema"])


schema = schemathesis.openapi.from_wsgi(
    "/runloop-openapi.json",
    application(_fake.send, AccessControl(Secret(_KEY))),
    config=schemathesis.Config.from_dict(
        {
            "generation": {"with-security-parameters": False},
            # Every boundary of every field: for a run by hand.
            "phases": {"coverage": {"enabled": _EXAMPLES > 24}},
        }
    ),
)
_prepare(schema.raw_schema)
_CALLS = [call["operationId"] for item in schema.raw_schema["paths"].values() for call in item.values()]
sampled = schema.include(operation_id=effort.sample(_CALLS, 0, 5))


@pytest.fixture(scope="module", autouse=True)
def succeeded() -> Iterator[dict[str, bool]]:
    """Record whether each operation that was called ever succeeded; all but presigned URLs must."""
    results: dict[str, bool] = {}
    yield results
    assert [] == [
        call for call, success in results.items() if not success and not call.startswith("storage.")
    ]


@sampled.parametrize()
@_BOUNDED
def test_every_operation_responds_as_documented(case: Any, succeeded: dict[str, bool]) -> None:
    """No request, valid or not, causes a 5xx, an unknown status, or a violation of a schema."""
    _use_existing(case)
    # A form has no types: any value of a field is a text.
    is_form = case.media_type == "multipart/form-data"
    excluded = [*_EXCLUDED, schemathesis.checks.negative_data_rejection] if is_form else _EXCLUDED
    response = case.call_and_validate(headers={"Authorization": f"Bearer {_KEY}"}, excluded_checks=excluded)

    assert response.status_code < 500 or response.status_code == 501
    call = case.operation.definition.raw["operationId"]
    succeeded[call] = succeeded.get(call, False) or response.status_code == 200
