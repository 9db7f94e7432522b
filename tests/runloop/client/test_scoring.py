"""Scenarios, scorers and benchmarks as objects."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from buntime.errors import APIError, WaitTimeoutError
from buntime.runloop import Devbox, ResourceFailedError, RunloopSDK, Scenario, ScenarioRun
from buntime.transport import FakeTransport, Request, Response
from tests.runloop.client.stub import Stub, as_json

RUN = {"id": "scr_1", "devbox_id": "dbx_1", "state": "running"}


@pytest.fixture
def fake() -> Iterator[FakeTransport]:
    """Return a fake with two commands."""
    transport = FakeTransport()
    transport.on_execute(command="true")
    transport.on_execute(command="false", exit_code=1)
    yield transport
    transport.close()


@pytest.fixture
def runloop(fake: FakeTransport) -> Iterator[RunloopSDK]:
    """Return a client of the fake."""
    with RunloopSDK(transport=fake) as client:
        yield client


def make(runloop: RunloopSDK, *commands: str) -> Scenario:
    """Return a new scenario that these commands score."""
    builder = runloop.scenario.builder("s").with_problem_statement("p")
    for number, command in enumerate(commands or ("true",)):
        builder.add_shell_command_scorer(f"f{number}", command=command)
    return builder.push()


def test_builder(runloop: RunloopSDK) -> None:
    """Each step sets a field; the weights add up to 1; a preview needs nothing."""
    builder = runloop.scenario.builder("s")
    assert "<ScenarioBuilder name='s'>" == repr(builder)
    preview = builder.preview()
    assert ("s", None) == (preview.name, preview.environment)
    with pytest.raises(ValueError, match="no problem statement"):
        builder.build()
    builder.with_problem_statement("p").with_additional_context({"hint": 1})
    with pytest.raises(ValueError, match="no scorer"):
        builder.build()
    with pytest.raises(ValueError, match="must be above 0"):
        builder.add_shell_command_scorer("a", command="true", weight=0)
    snapshot, blueprint = runloop.snapshot.from_id("snp_1"), runloop.blueprint.from_id("bpt_1")
    fields = (
        builder.from_snapshot(snapshot)
        .from_blueprint(blueprint)
        .with_working_directory("/home/user/app")
        .with_metadata({"k": "v"})
        .with_reference_output("diff")
        .with_required_env_vars(["E"])
        .with_required_secrets(["S"])
        .with_validation_type("FORWARD")
        .add_shell_command_scorer("a", command="true", weight=2)
        .add_bash_script_scorer("b", bash_script="echo 1", weight=2)
        .add_python_script_scorer("c", python_script="print(1)", requirements_contents="attrs")
        .add_test_command_scorer("d", test_command="t", test_files=[{"file_path": "a", "file_contents": "x"}])
        .add_custom_scorer("e", custom_scorer_type="mine", scorer_params=[1])
        .add_ast_grep_scorer("f", pattern="$A", lang="python")
        .build()
    )
    functions = fields.pop("scoring_contract")["scoring_function_parameters"]
    assert [0.25, 0.25, 0.125, 0.125, 0.125, 0.125] == [each["weight"] for each in functions]
    assert {
        "name": "s",
        "input_context": {"problem_statement": "p", "additional_context": {"hint": 1}},
        "environment_parameters": {"blueprint_id": "bpt_1", "working_directory": "/home/user/app"},
        "metadata": {"k": "v"},
        "reference_output": "diff",
        "required_environment_variables": ["E"],
        "required_secret_names": ["S"],
        "validation_type": "FORWARD",
    } == fields
    assert [
        {"type": "command_scorer", "command": "true"},
        {"type": "bash_script_scorer", "bash_script": "echo 1"},
        {"type": "python_script_scorer", "python_script": "print(1)", "requirements_contents": "attrs"},
        {
            "type": "test_based_scorer",
            "test_command": "t",
            "test_files": [{"file_path": "a", "file_contents": "x"}],
        },
        {"type": "custom_scorer", "custom_scorer_type": "mine", "scorer_params": [1]},
        {"type": "ast_grep_scorer", "pattern": "$A", "search_directory": ".", "lang": "python"},
    ] == [each["scorer"] for each in functions]
    preview = builder.preview()
    assert preview.input_context is not None
    assert preview.environment is not None
    assert ("p", "bpt_1") == (preview.input_context.problem_statement, preview.environment.blueprint_id)


def test_a_run(runloop: RunloopSDK, fake: FakeTransport, tmp_path: Path) -> None:
    """A run has a devbox with its profile, and a score; completing it ends the devbox."""
    scenario = make(runloop, "true", "false", "true")
    profile = {"env_vars": {"E": "1"}, "launch_parameters": {"keep_alive_time_seconds": 60}}
    run = scenario.run(run_name="r", run_profile=profile, timeout=60)
    assert isinstance(run.devbox, Devbox)
    info = run.devbox.get_info()
    assert ("running", 60) == (
        info.status,
        info.launch_parameters and info.launch_parameters.keep_alive_time_seconds,
    )
    assert {"E": "1"} == run.get_info().environment_variables
    assert run.get_score() is None
    assert "running" == run.await_env_ready().state
    view = run.score_and_complete()
    assert "completed" == view.state
    score = run.get_score()
    assert score is not None
    assert 2 / 3 == score.score
    assert [1.0, 0.0, 1.0] == [each.score for each in score.scoring_function_results]
    run.download_logs(tmp_path / "logs.zip")
    with zipfile.ZipFile(tmp_path / "logs.zip") as logs:
        assert "r" == json.loads(logs.read("scenario_run.json"))["name"]
    assert {} == fake.devboxes


def test_a_run_step_by_step(runloop: RunloopSDK, fake: FakeTransport) -> None:
    """Without waiting: start, score, wait, complete; and cancel."""
    scenario = make(runloop)
    run = scenario.run_async()
    with pytest.raises(ResourceFailedError, match="is running, not scored"):
        run.await_scored()
    run.await_env_ready()
    assert "scoring" == run.score().state
    assert "scored" == run.await_scored().state
    assert "completed" == run.complete().state
    other = scenario.run()
    assert "scored" == other.score_and_await().state
    assert "canceled" == other.cancel().state
    assert {} == fake.devboxes


def test_a_run_ends_with_its_block(runloop: RunloopSDK, fake: FakeTransport) -> None:
    """It is canceled at the end, also after an exception, unless it has ended."""
    scenario = make(runloop)
    with pytest.raises(KeyError), scenario.run() as failed:
        raise KeyError
    with scenario.run() as completed:
        completed.score_and_complete()
    with scenario.run() as by_other_means:
        runloop.api.scenarios.runs.cancel(by_other_means.id)
    runs = (failed, completed, by_other_means)
    assert ["canceled", "completed", "canceled"] == [run.get_info().state for run in runs]
    assert {} == fake.devboxes


def test_a_devbox_that_does_not_run(runloop: RunloopSDK, fake: FakeTransport) -> None:
    """The run is canceled, whatever ends the wait, and the exception has the id of the devbox."""
    scenario = make(runloop)
    fake.on_execute(command="exit 9", exit_code=9)
    fails = {"launch_parameters": {"launch_commands": ["exit 9"]}}
    with pytest.raises(ResourceFailedError, match="execution_failed") as failed:
        scenario.run(run_profile=fails)
    assert vars(failed.value)["devbox_id"].startswith("dbx_")
    fake.on_execute(command="slow", execution_time=3_600_000)
    slow = {"launch_parameters": {"launch_commands": ["slow"]}}
    with pytest.raises(WaitTimeoutError):
        runloop.api.scenarios.start_run_and_await_env_ready(
            scenario_id=scenario.id, run_profile=slow, timeout=40
        )
    assert {} == fake.devboxes
    assert ["canceled", "failed"] == [
        run.state for run in runloop.api.scenarios.runs.list(scenario_id=scenario.id)
    ]


@pytest.mark.parametrize("interrupted", ["start_run", "wait_for_status"])
def test_interrupted_run(interrupted: str) -> None:
    """Ctrl-C while a run starts cancels it, even before its id is known."""
    fake = FakeTransport()
    did_act: list[str] = []

    def interrupt(request: Request, send: Any) -> Response:
        response: Response = send(request)
        if request.path.endswith(interrupted) and not did_act:
            did_act.append(request.path)
            raise KeyboardInterrupt
        return response

    with RunloopSDK(transport=fake, middleware=interrupt) as runloop:
        scenario = make(runloop)
        with pytest.raises(KeyboardInterrupt):
            scenario.run()
        assert ["canceled"] == [run.state for run in runloop.api.scenarios.runs.list()]
        assert {} == fake.devboxes


def test_scoring_that_fails() -> None:
    """The error names the state; the wait has a limit; a completed run is scored."""
    states = iter(["scoring", "scoring", "timeout", "completed"])

    def respond(request: Request) -> Response:
        return as_json({**RUN, "state": next(states)})

    stub = Stub(respond=respond)
    with stub.client() as client:
        run = ScenarioRun(client._connection, "scr_1", "dbx_1")
        with pytest.raises(ResourceFailedError, match="is timeout, not scored"):
            run.score_and_await()
        assert "completed" == run.await_scored().state
        with pytest.raises(TypeError, match="score_and_await"):
            run.score_and_await(tiemout=1)  # type: ignore[call-arg]  # a misspelt name
    endless = Stub(respond=lambda request: as_json({**RUN, "state": "scoring"}))
    with endless.client() as client, pytest.raises(WaitTimeoutError, match="scr_1 is scored"):
        client.api.scenarios.runs.await_scored("scr_1", timeout=20)


def test_profile_that_is_not_a_mapping() -> None:
    """It is refused before anything is sent."""
    stub = Stub()
    with stub.client() as client, pytest.raises(TypeError, match="run_profile must be a mapping, not list"):
        client.scenario.from_id("scn_1").run(run_profile=[])
    assert [] == stub.requests


def test_scenarios(runloop: RunloopSDK) -> None:
    """They are created, found, changed, listed and archived."""
    made = make(runloop)
    scenario = runloop.scenario.from_id(made.id)
    view = scenario.get_info()
    assert ("s", "active") == (view.name, view.status)
    assert view.scoring_contract is not None
    (function,) = view.scoring_contract.scoring_function_parameters
    assert "command_scorer" == (function.scorer and function.scorer.type)
    assert "t" == scenario.update(name="t").name
    contract = view.scoring_contract.to_dict()
    other = runloop.scenario.create(
        name="o", input_context={"problem_statement": "p"}, scoring_contract=contract
    )
    assert [other.id, made.id] == [each.id for each in runloop.scenario.list()]
    assert [made.id] == [each.id for each in runloop.scenario.list(name="t")]
    assert "archived" == scenario.archive().status
    assert [other.id] == [each.id for each in runloop.scenario.list()]
    assert [] == list(runloop.api.scenarios.list_public())


def test_scorers(runloop: RunloopSDK, fake: FakeTransport) -> None:
    """They are created, changed by a part of their fields, listed and validated."""
    scorer = runloop.scorer.create(type="mine", bash_script='echo "1.0"')
    fake.on_execute(command='echo "0.5"', stdout="0.5\n")
    assert "mine" == scorer.update(bash_script='echo "0.5"').type
    assert 'echo "0.5"' == scorer.update(type="other").bash_script
    calls = [call.method for call in fake.calls]
    scorer.update(type="mine", bash_script='echo "0.5"')
    assert [*calls, "POST"] == [call.method for call in fake.calls]
    result = scorer.validate(scoring_context={"output": "hello"})
    assert result.scoring_result is not None
    assert ("mine", {"output": "hello"}, 0.5, "complete") == (
        result.name,
        result.scoring_context,
        result.scoring_result.score,
        result.scoring_result.state,
    )
    assert ["mine"] == [each.get_info().type for each in runloop.scorer.list(search="min")]
    assert scorer.id == runloop.scorer.from_id(scorer.id).id
    assert {} == fake.devboxes


def test_benchmarks(runloop: RunloopSDK, fake: FakeTransport) -> None:
    """They have scenarios; a run has their runs and the mean of their scores."""
    good, bad = make(runloop), make(runloop, "false")
    benchmark = runloop.benchmark.create(name="b", scenario_ids=[good.id])
    assert [good.id, bad.id] == benchmark.add_scenarios([bad.id]).scenario_ids
    assert [good.id] == benchmark.remove_scenarios([bad.id]).scenario_ids
    assert "c" == benchmark.update(name="c", scenario_ids=[good.id, bad.id]).name
    assert {"scenario_ids": [good.id, bad.id]}.items() <= benchmark.get_info().to_dict().items()
    assert [benchmark.id] == [each.id for each in runloop.benchmark.list(name="c")]
    assert [] == list(runloop.api.benchmarks.list_public())
    definitions = runloop.api.benchmarks.definitions(benchmark.id, limit=1)
    assert [good.id, bad.id] == [each.id for each in definitions]
    run = runloop.benchmark.from_id(benchmark.id).start_run(run_name="r", metadata={"k": "v"})
    assert (benchmark.id, "running", {"k": "v"}) == (
        (view := run.get_info()).benchmark_id,
        view.state,
        view.metadata,
    )
    for scenario in (good, bad):
        scenario.run(benchmark_run_id=run.id).score_and_await()
    assert ["scored", "scored"] == [each.get_info().state for each in run.list_scenario_runs(limit=1)]
    assert ("completed", 0.5) == ((view := run.complete()).state, view.score)
    other = benchmark.start_run()
    assert "canceled" == other.cancel().state
    assert [other.id, run.id] == [each.id for each in benchmark.list_runs()]
    assert [run.id] == [each.id for each in runloop.api.benchmarks.runs.list(state="completed")]
    assert benchmark.id == benchmark.list_runs()[0].benchmark_id
    assert {} == fake.devboxes


def test_a_lost_response(fake: FakeTransport) -> None:
    """A run whose start, score or completion was answered by nothing happens once."""
    with RunloopSDK(transport=fake) as runloop:
        scenario = make(runloop)
        for call in ("scenarios.start_run", "scenarios.runs.score", "scenarios.runs.complete"):
            fake.fail_next("dropped", call=call)
        view = scenario.run().score_and_complete()
        assert "completed" == view.state
        assert 1 == len(list(runloop.api.scenarios.runs.list()))


def test_logs_that_are_refused(tmp_path: Path) -> None:
    """No file is written."""
    stub = Stub(404)
    with stub.client() as client, pytest.raises(APIError):
        ScenarioRun(client._connection, "scr_1", "dbx_1").download_logs(tmp_path / "logs.zip")
    assert [] == list(tmp_path.iterdir())
