"""Scenarios, scorers and benchmarks on every transport."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from buntime.runloop import ResourceFailedError, RunloopSDK
from tests.runloop.model.scripts import CONTEXT, HALF, PYTHON_SCORE, TESTS

EXPECTED = {
    "command": (1.0, "complete"),
    "bash": (0.5, "complete"),
    "python": (0.25, "complete"),
    "tests": (1.0, "complete"),
    "failing": (0.0, "complete"),
    "custom": (0.75, "complete"),
    "search": (0.0, "error"),
}


def test_scoring_an_agent(runloop: RunloopSDK, tmp_path: Path) -> None:
    """Each type of scorer really runs, in the working directory; a benchmark has the mean of its runs."""
    scorer = runloop.scorer.create(type="mine", bash_script="echo 0")
    assert "mine" == scorer.update(bash_script=CONTEXT).type
    checked = scorer.validate(scoring_context={"score": 0.75}).scoring_result
    assert checked is not None
    assert (0.75, "complete") == (checked.score, checked.state)

    files = [{"file_path": "tests/expected.txt", "file_contents": "answer of E\n"}]
    builder = runloop.scenario.builder("s").with_problem_statement("Write answer.txt")
    scenario = (
        builder.with_working_directory("/home/user/app")
        .with_required_env_vars(["NAME"])
        .add_shell_command_scorer("command", command="test -f answer.txt")
        .add_bash_script_scorer("bash", bash_script=HALF)
        .add_python_script_scorer("python", python_script=PYTHON_SCORE)
        .add_test_command_scorer("tests", test_command=TESTS, test_files=files)
        .add_shell_command_scorer("failing", command="exit 9")
        .add_custom_scorer("custom", custom_scorer_type="mine", scorer_params={"score": 0.75})
        .add_ast_grep_scorer("search", pattern="$A")
        .push()
    )
    benchmark = runloop.benchmark.create(name="b", scenario_ids=[scenario.id])
    whole = benchmark.start_run(run_profile={"env_vars": {"NAME": "E"}})
    with scenario.run(run_name="r", benchmark_run_id=whole.id, timeout=60) as run:
        run.devbox.file.write(file_path="app/answer.txt", contents="answer of E\n")
        view = run.score_and_complete(timeout=120)
    result = view.scoring_contract_result
    assert result is not None
    rows = {row.scoring_function_name: (row.score, row.state) for row in result.scoring_function_results}
    assert EXPECTED == rows, result
    assert pytest.approx(0.5) == result.score
    assert "shutdown" == run.devbox.get_info().status
    run.download_logs(tmp_path / "logs.zip")
    with zipfile.ZipFile(tmp_path / "logs.zip") as archive:
        assert ["scenario_run.json", "devbox_logs.json"] == archive.namelist()
    assert [run.id] == [each.id for each in whole.list_scenario_runs()]
    assert ("completed", result.score) == (whole.complete().state, whole.get_info().score)
    assert [] == [each.id for each in runloop.devbox.list(status="running")]


def test_runs_step_by_step(runloop: RunloopSDK) -> None:
    """Each step of a run by itself, a run that is canceled, and the scenarios and runs of a benchmark."""
    builder = runloop.scenario.builder("step by step").with_problem_statement("p")
    scenario = builder.add_shell_command_scorer("a", command="true").push()
    benchmark = runloop.benchmark.create(name="b")
    assert [scenario.id] == benchmark.add_scenarios([scenario.id]).scenario_ids
    definitions = runloop.api.benchmarks.definitions(benchmark.id).scenarios
    assert [scenario.id] == [each.id for each in definitions]
    whole = benchmark.start_run(run_name="first")

    run = scenario.run_async(benchmark_run_id=whole.id)
    assert "running" == run.await_env_ready().state
    assert run.get_score() is None
    run.score()
    assert "scored" == run.await_scored().state
    score = run.get_score()
    assert score is not None
    assert score.score == 1
    assert "completed" == run.complete().state
    canceled = scenario.run_async()
    assert "canceled" == canceled.cancel().state
    assert "shutdown" == canceled.devbox.get_info().status

    assert [whole.id] == [each.id for each in benchmark.list_runs()]
    assert [whole.id] == [each.id for each in runloop.api.benchmarks.runs.list(benchmark_id=benchmark.id)]
    assert "canceled" == whole.cancel().state
    assert [] == benchmark.remove_scenarios([scenario.id]).scenario_ids
    assert [] == [*runloop.api.benchmarks.list_public(), *runloop.api.scenarios.list_public()]
    assert "archived" == scenario.archive().status
    assert [] == list(runloop.scenario.list(name="step by step"))


def test_a_scenario_that_does_not_run_real(runloop: RunloopSDK) -> None:
    """A missing working directory is an error of the scorer; a scorer without an end ends at its limit."""
    builder = runloop.scenario.builder("s").with_problem_statement("p").with_working_directory("none")
    lost = builder.add_shell_command_scorer("a", command="true").push()
    scenario = runloop.scenario.builder("t").with_problem_statement("p")
    endless = scenario.add_shell_command_scorer("a", command="sleep 1000").push()
    endless.update(scorer_timeout_sec=1)
    with lost.run() as run:
        result = run.score_and_await(timeout=60).scoring_contract_result
        assert result is not None
        (row,) = result.scoring_function_results
        assert (0.0, "error") == (row.score, row.state), row
    with endless.run() as run, pytest.raises(ResourceFailedError, match="is timeout"):
        run.score_and_await(timeout=60)
    assert [] == [each.id for each in runloop.devbox.list(status="running")]
