"""Scenarios, scorers and benchmarks of the fake: their states, their scores, and what is refused."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from typing import Any, Optional

import pytest

from buntime.transport import FakeTransport, ScriptedExecution
from tests.runloop.wire import Wire

PASS = {"type": "command_scorer", "command": "true"}


@pytest.fixture
def fake() -> Iterator[FakeTransport]:
    """Return a fake whose command ``true`` succeeds."""
    transport = FakeTransport(boot_time=0, build_time=0)
    transport.on_execute(command="true")
    transport.on_execute(command="false", exit_code=1)
    transport.on_execute(command="slow", execution_time=60_000)
    yield transport
    transport.close()


@pytest.fixture
def wire(fake: FakeTransport) -> Wire:
    """Send requests to it."""
    return Wire(fake)


def scenario(wire: Wire, *scorers: Any, **fields: Any) -> Any:
    """Return a scenario with these scorers, of equal weight."""
    functions = [
        {"name": f"f{number}", "weight": 1, "scorer": scorer}
        for number, scorer in enumerate(scorers or (PASS,))
    ]
    body = {
        "name": "s",
        "input_context": {"problem_statement": "p"},
        "scoring_contract": {"scoring_function_parameters": functions},
        **fields,
    }
    return wire.post("/scenarios", **body)


def start(wire: Wire, *scorers: Any, **fields: Any) -> str:
    """Return the path of a run of a new scenario, whose devbox runs."""
    run = wire.post("/scenarios/start_run", scenario_id=scenario(wire, *scorers, **fields)["id"])
    wire.get(f"/devboxes/{run['devbox_id']}")
    return f"/scenarios/runs/{run['id']}"


def score(wire: Wire, run: str) -> Any:
    """Return the view of a run after it was scored."""
    assert isinstance(wire.transport, FakeTransport)
    wire.post(f"{run}/score")
    wire.transport.advance(1)  # a command takes some milliseconds
    return wire.get(run)


def bash(script: str) -> dict[str, str]:
    """Return a scorer."""
    return {"type": "bash_script_scorer", "bash_script": script}


@pytest.mark.parametrize(
    ("output", "expected", "state"),
    [
        ("score=0.5\n", 0.5, "complete"),
        ("0.25", 0.25, "complete"),
        ("score=0.1\nlog 0.9\n  Score = .75 \nend\n", 0.75, "complete"),
        ("score=7", 1.0, "complete"),
        ("-1e3", 0.0, "complete"),
        ("nothing", 0.0, "error"),
        ("score=nan", 0.0, "error"),
        ("", 0.0, "error"),
    ],
)
def test_score_of_a_script(fake: FakeTransport, wire: Wire, output: str, expected: float, state: str) -> None:
    """The last line with a score counts, from 0 to 1; without one the scorer has an error."""
    fake.on_execute(command="script", stdout=output, exit_code=3)
    view = score(wire, start(wire, bash("script")))
    assert "scored" == view["state"]
    (result,) = view["scoring_contract_result"]["scoring_function_results"]
    assert ("f0", expected, state, output) == (
        result["scoring_function_name"],
        result["score"],
        result["state"],
        result["output"],
    )


def test_every_type_of_scorer(fake: FakeTransport, wire: Wire) -> None:
    """Each runs with its variables and files; the total is weighted; ast-grep is not run."""
    seen: list[ScriptedExecution] = []

    def run(execution: ScriptedExecution) -> str:
        seen.append(execution)
        return "score=0.5\n"

    fake.on_execute(command="test", handler=lambda each: each.workspace.read("app/t/a.txt").decode())
    fake.on_execute(command=re.compile("context|python3"), handler=run)
    wire.post("/scenarios/scorers", type="mine", bash_script="context")
    functions: list[dict[str, Any]] = [
        PASS,
        {"type": "command_scorer", "command": "false"},
        {"type": "python_script_scorer", "python_script": "print(1)", "requirements_contents": "attrs"},
        {"type": "python_script_scorer", "python_script": "print('END_OF_SCORER')"},
        {"type": "custom_scorer", "custom_scorer_type": "mine", "scorer_params": {"a": 1}},
        {"type": "custom_scorer", "custom_scorer_type": "none"},
        {"type": "ast_grep_scorer", "pattern": "$A", "search_directory": "."},
        {
            "type": "test_based_scorer",
            "test_command": "test",
            "test_files": [{"file_path": "t/a.txt", "file_contents": "x"}],
        },
        {"type": "test_based_scorer", "test_command": "test", "test_files": [{"file_path": "/etc/a"}]},
    ]
    run_path = start(
        wire, *functions, environment_parameters={"working_directory": "~/app"}, scorer_timeout_sec=5
    )
    result = score(wire, run_path)["scoring_contract_result"]
    rows = [(each["score"], each["state"]) for each in result["scoring_function_results"]]
    done, error = "complete", "error"
    expected = [(1.0, done), (0.0, done), (0.5, done), (0.5, done), (0.5, done), (0.0, error), (0.0, error)]
    assert [*expected, (1.0, done), (0.0, error)] == rows
    assert 3.5 / 9 == result["score"]
    outputs = [each["output"] for each in result["scoring_function_results"]]
    assert "Scorer none does not exist" == outputs[5]
    assert "This model does not run ast-grep" == outputs[6]
    assert ("x", "/etc/a" in outputs[8]) == (outputs[7], True)
    first, second, third = (str(each.command) for each in seen)
    assert "pip install" in first
    assert "\nattrs\n" in first
    assert ("python3 - <<'END_OF_SCORER_'", "context") == (second.splitlines()[0], third)
    assert {"a": 1} == json.loads(seen[2].env["RL_SCORER_CONTEXT"])


def test_states_of_a_run(wire: Wire, fake: FakeTransport) -> None:
    """A run is scored in the time of its scorers, and its devbox ends with it."""
    run = start(wire, {"type": "command_scorer", "command": "slow"}, PASS)
    assert "running" == wire.get(run)["state"]
    assert "scoring" == wire.post(f"{run}/score")["state"]
    for action in ("score", "complete"):
        assert 400 == wire.refused(f"{run}/{action}")[0]
    fake.advance(59)
    assert "scoring_contract_result" not in wire.get(run)
    fake.advance(2)
    assert "scored" == wire.get(run)["state"]
    assert 400 == wire.refused(f"{run}/score")[0]
    view = wire.post(f"{run}/complete")
    assert ("completed", 61_000, 1.0) == (
        view["state"],
        view["duration_ms"],
        view["scoring_contract_result"]["score"],
    )
    assert "shutdown" == wire.get(f"/devboxes/{view['devbox_id']}")["status"]
    assert "is completed" in wire.refused(f"{run}/cancel")[1]


@pytest.mark.parametrize("action", ["cancel", "timeout", "shutdown", "suspend"])
def test_scoring_that_does_not_end(wire: Wire, fake: FakeTransport, action: str) -> None:
    """It ends with the run: canceled, at its time limit, or with the devbox. Nothing is left running."""
    scorer = {"type": "command_scorer", "command": "slow"}
    run = start(wire, PASS, scorer, PASS, scorer_timeout_sec=30)
    devbox = f"/devboxes/{wire.post(f'{run}/score')['devbox_id']}"
    fake.advance(1)
    expected = {"cancel": "canceled", "timeout": "timeout"}.get(action, "failed")
    if action == "cancel":
        wire.post(f"{run}/cancel")
    elif action == "timeout":
        fake.advance(100)
    else:
        wire.post(f"{devbox}/{action}")
    view = wire.get(run)
    assert expected == view["state"]
    results = view["scoring_contract_result"]["scoring_function_results"]
    assert ["complete", "error", "unknown"] == [each["state"] for each in results]
    assert [] == list(fake.devboxes)
    if action == "timeout":
        assert 30_000 == view["duration_ms"]


def test_a_run_fails_with_its_devbox(wire: Wire, fake: FakeTransport) -> None:
    """One whose devbox ends before it is scored has failed; a scored one has its score."""
    lost, scored = start(wire), start(wire)
    score(wire, scored)
    for run in (lost, scored):
        wire.post(f"/devboxes/{wire.get(run)['devbox_id']}/shutdown")
    assert ["failed", "scored"] == [wire.get(run)["state"] for run in (lost, scored)]
    assert 400 == wire.refused(f"{lost}/score")[0]
    assert "completed" == wire.post(f"{scored}/complete")["state"]


def test_a_scorer_without_a_script(wire: Wire, fake: FakeTransport) -> None:
    """The caller gets the line to add, and the run has failed."""
    run = start(wire, bash("echo 1"))
    status, message = wire.refused(f"{run}/score")
    assert 501 == status
    assert "fake.on_execute(command='echo 1'" in message
    assert "failed" == wire.get(run)["state"]
    assert [] == list(fake.devboxes)


def test_a_scorer_that_cannot_start(wire: Wire, fake: FakeTransport) -> None:
    """It has an error."""
    fake.on_execute(command="none", exit_code=126, stderr="cannot start")
    result = score(wire, start(wire, {"type": "command_scorer", "command": "none"}))[
        "scoring_contract_result"
    ]
    (row,) = result["scoring_function_results"]
    assert (0.0, "error", "cannot start") == (row["score"], row["state"], row["output"])


def test_the_devbox_of_a_run(wire: Wire, fake: FakeTransport) -> None:
    """It has the environment of the scenario and the profile of the run."""
    blueprint = wire.post("/blueprints", name="base")["id"]
    wire.get(f"/blueprints/{blueprint}")
    environment = {"blueprint_id": blueprint, "launch_parameters": {"keep_alive_time_seconds": 600}}
    row = scenario(wire, environment_parameters=environment, required_environment_variables=["E"])
    assert environment == row["environment"]
    profile = {
        "envVars": {"E": "1"},
        "launchParameters": {"resource_size_request": "LARGE"},
        "mounts": [{"type": "file_mount", "target": "a.txt", "content": "x"}],
        "purpose": "test",
    }
    refused = wire.refused("/scenarios/start_run", scenario_id=row["id"])
    assert (400, True) == (refused[0], "runProfile lacks E" in refused[1])
    run = wire.post("/scenarios/start_run", scenario_id=row["id"], run_name="r", runProfile=profile)
    assert ("r", "test", {"E": "1"}, {}) == (
        run["name"],
        run["purpose"],
        run["environment_variables"],
        run["metadata"],
    )
    view = wire.get(f"/devboxes/{run['devbox_id']}")
    assert (blueprint, "r") == (view["blueprint_id"], view["name"])
    assert {"keep_alive_time_seconds": 600, "resource_size_request": "LARGE"} == view["launch_parameters"]
    (devbox,) = fake.devboxes.values()
    assert {"/home/user/a.txt": b"x"} == devbox.files


def test_logs_of_a_run(wire: Wire) -> None:
    """A zip file with the run and the log of its devbox, also after its end."""
    run = start(wire)
    score(wire, run)
    wire.post(f"{run}/complete")
    response = wire.send("POST", f"{run}/download_logs", headers={"Accept": "application/zip"})
    with zipfile.ZipFile(io.BytesIO(response.read())) as logs:
        view, rows = (json.loads(logs.read(name)) for name in ("scenario_run.json", "devbox_logs.json"))
    assert "completed" == view["state"]
    assert ["true"] == [row["cmd"] for row in rows if "cmd" in row]


def test_a_repeated_start_is_one_run(wire: Wire, fake: FakeTransport) -> None:
    """With the same ``x-request-id`` there is one devbox."""
    body = {"scenario_id": scenario(wire)["id"]}
    for _ in range(2):
        wire.send("POST", "/scenarios/start_run", body, headers={"x-request-id": "1"}).close()
    assert 1 == len(fake.devboxes)


def test_validation_of_a_scorer(wire: Wire, fake: FakeTransport) -> None:
    """It runs on a new devbox with the context, which is gone afterwards."""
    fake.on_execute(command="mine", handler=lambda run: json.loads(run.env["RL_SCORER_CONTEXT"])["answer"])
    scorer = wire.post("/scenarios/scorers", type="mine", bash_script="mine")
    path = f"/scenarios/scorers/{scorer['id']}/validate"
    context, environment = {"answer": "0.75"}, {"working_directory": "/home/user"}
    value = wire.post(path, scoring_context=context, environment_parameters=environment)
    result = {"scoring_function_name": "mine", "score": 0.75, "state": "complete", "output": "0.75"}
    assert {
        "name": "mine",
        "scoring_context": context,
        "scoring_result": result,
        "environment_parameters": environment,
    } == value
    wire.post(f"/scenarios/scorers/{scorer['id']}", bash_script="slow")
    fake.on_execute(command="endless", keeps_running=True)
    assert "error" == wire.post(path, scoring_context=[])["scoring_result"]["state"]
    wire.post(f"/scenarios/scorers/{scorer['id']}", bash_script="endless")
    start_time = fake.monotonic()
    assert "timeout" in wire.post(path, scoring_context=1)["scoring_result"]["output"]
    assert 600 == fake.monotonic() - start_time
    assert 400 == wire.refused(path)[0]
    wire.post(f"/scenarios/scorers/{scorer['id']}", bash_script="unknown")
    assert 501 == wire.refused(path, scoring_context={})[0]
    assert [] == list(fake.devboxes)


def test_changes_keep_what_is_absent(wire: Wire) -> None:
    """Of a scorer, a scenario and its context; an archived scenario is not listed."""
    scorer = wire.post("/scenarios/scorers", type="a", bash_script="1")
    wire.post("/scenarios/scorers", type="b", bash_script="1")
    path = f"/scenarios/scorers/{scorer['id']}"
    assert {**scorer, "bash_script": "2"} == wire.post(path, bash_script="2", type=None)
    assert {**scorer, "bash_script": "2"} == wire.get(path)
    assert (400, "The type b is taken") == wire.refused(path, type="b")
    assert 400 == wire.refused("/scenarios/scorers", type="a", bash_script="1")[0]
    row = scenario(wire, validation_type="FORWARD", metadata={"k": "v"})
    path = f"/scenarios/{row['id']}"
    changed = wire.post(path, name="t", input_context={"additional_context": [1]}, metadata={})
    assert {"problem_statement": "p", "additional_context": [1]} == changed["input_context"]
    assert ("t", {}, 1800, "active", False) == tuple(
        changed[name] for name in ("name", "metadata", "scorer_timeout_sec", "status", "is_public")
    )
    for query, count in (({"name": "t"}, 1), ({"search": "T"}, 1), ({"validation_type": "REVERSE"}, 0)):
        assert count == len(wire.get("/scenarios", **query)["scenarios"])
    assert "archived" == wire.post(f"{path}/archive")["status"]
    assert [] == wire.get("/scenarios")["scenarios"]
    assert [] == wire.get("/scenarios/list_public")["scenarios"]
    assert "archived" == wire.get(path)["status"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": None}, "name is required"),
        ({"input_context": {}}, "input_context.problem_statement is required"),
        ({"validation_type": "X"}, "validation_type must be one of"),
        ({"scorer_timeout_sec": 0}, "scorer_timeout_sec must be at least 1"),
        ({"required_secret_names": [1]}, "required_secret_names must be an array of strings"),
        ({"scoring_contract": {}}, "scoring_contract needs 1 to 100"),
        ({"scorers": [7]}, "scoring_function_parameters[0] must be an object"),
        ({"scorers": [{"name": "a b"}]}, "letters, digits, _ and - only"),
        ({"scorers": [{"name": "a"}]}, "weight is required"),
        ({"scorers": [{"name": "a", "weight": 0}]}, "weight must be above 0"),
        ({"scorers": [{"name": "a", "weight": 1, "scorer": {"type": "x"}}]}, "type must be one of"),
        (
            {"scorers": [{"name": "a", "weight": 1, "scorer": {"type": "command_scorer"}}]},
            "scorer.command is required",
        ),
        ({"scorers": [{"name": "a", "weight": 1, "scorer": {**PASS, "command": "\0"}}]}, "not hold a NUL"),
        (
            {
                "scorers": [
                    {
                        "name": "a",
                        "weight": 1,
                        "scorer": {"type": "test_based_scorer", "test_command": "x", "test_files": [1]},
                    }
                ]
            },
            "test_files.file_path is required",
        ),
    ],
)
def test_wrong_scenarios(wire: Wire, fields: dict[str, Any], message: str) -> None:
    """Each mistake is a 400 that names the field."""
    scorers: Optional[Any] = fields.pop("scorers", None)
    body = {
        "name": "s",
        "input_context": {"problem_statement": "p"},
        "scoring_contract": {
            "scoring_function_parameters": scorers or [{"name": "a", "weight": 1, "scorer": PASS}]
        },
        **fields,
    }
    status, text = wire.refused("/scenarios", **body)
    assert (400, True) == (status, message in text), text


def test_benchmarks(wire: Wire, fake: FakeTransport) -> None:
    """A run starts its scenarios one by one with its profile, and has the mean of their scores."""
    good = scenario(wire, name="good", required_secret_names=[])["id"]
    bad = scenario(wire, {"type": "command_scorer", "command": "false"}, name="bad")["id"]
    other = scenario(wire)["id"]
    benchmark = wire.post("/benchmarks", name="b", scenario_ids=[good, other], description="d")
    path = f"/benchmarks/{benchmark['id']}"
    assert [good, other] == benchmark["scenarioIds"]
    changed = wire.post(f"{path}/scenarios", scenarios_to_add=[bad, good], scenarios_to_remove=[other])
    assert [good, bad] == changed["scenarioIds"] == wire.get(path)["scenarioIds"]
    assert ["good", "bad"] == [each["name"] for each in wire.get(f"{path}/definitions")["scenarios"]]
    assert {good, bad} == {
        each["id"] for each in wire.get("/scenarios", benchmark_id=benchmark["id"])["scenarios"]
    }
    assert 404 == wire.refused(f"{path}/scenarios", scenarios_to_add=["scn_none"])[0]
    assert "d" == wire.post(path, attribution="a")["description"]

    profile = {"envVars": {"A": "1", "B": "1"}, "purpose": "p"}
    start_run = {"benchmark_id": benchmark["id"], "run_name": "r", "runProfile": profile}
    run = wire.post("/benchmarks/start_run", **start_run)
    assert ("running", "r", benchmark["id"]) == (run["state"], run["name"], run["benchmark_id"])
    run_path, parts = f"/benchmark_runs/{run['id']}", {"benchmark_run_id": run["id"]}
    assert "not part of" in wire.refused("/scenarios/start_run", scenario_id=other, **parts)[1]
    own = {"envVars": {"B": "2"}}
    runs = [
        wire.post("/scenarios/start_run", scenario_id=each, runProfile=own, **parts) for each in (good, bad)
    ]
    assert {"A": "1", "B": "2"} == runs[0]["environment_variables"]
    for each in runs:
        wire.get(f"/devboxes/{each['devbox_id']}")
        score(wire, f"/scenarios/runs/{each['id']}")
    wire.post(f"/scenarios/runs/{runs[0]['id']}/complete")
    listed = wire.get(f"{run_path}/scenario_runs")["runs"]
    assert ["scored", "completed"] == [each["state"] for each in listed]
    assert 1 == len(wire.get("/scenarios/runs", state="scored", scenario_id=bad)["runs"])
    view = wire.post(f"{run_path}/complete")
    assert ("completed", 0.5, 2000) == (view["state"], view["score"], view["duration_ms"])
    assert [] == list(fake.devboxes)
    assert view == wire.get(run_path) == wire.get("/benchmark_runs", state="completed")["runs"][0]
    assert 400 == wire.refused(f"{run_path}/complete")[0]
    assert "is completed" in wire.refused("/scenarios/start_run", scenario_id=good, **parts)[1]


def test_a_benchmark_run_that_is_canceled(wire: Wire, fake: FakeTransport) -> None:
    """It ends its scenario runs, also one that is being scored, which keeps it from being completed."""
    scenario_id = scenario(wire, {"type": "command_scorer", "command": "slow"})["id"]
    benchmark = wire.post(
        "/benchmarks", name="b", scenario_ids=[scenario_id], required_environment_variables=["E"]
    )
    assert 400 == wire.refused("/benchmarks/start_run", benchmark_id=benchmark["id"])[0]
    profile = {"envVars": {"E": "1"}}
    run = wire.post("/benchmarks/start_run", benchmark_id=benchmark["id"], runProfile=profile)
    part = wire.post("/scenarios/start_run", scenario_id=scenario_id, benchmark_run_id=run["id"])
    wire.get(f"/devboxes/{part['devbox_id']}")
    wire.post(f"/scenarios/runs/{part['id']}/score")
    assert "is scoring" in wire.refused(f"/benchmark_runs/{run['id']}/complete")[1]
    assert "canceled" == wire.post(f"/benchmark_runs/{run['id']}/cancel")["state"]
    assert "canceled" == wire.get(f"/scenarios/runs/{part['id']}")["state"]
    assert [] == list(fake.devboxes)
