"""Scenarios: a task, an environment, scorers; their runs, each on a devbox; benchmarks, sets of scenarios."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Optional, Union

from buntime._support.typing import Unpack
from buntime.runloop import waiting
from buntime.runloop.api import Page
from buntime.runloop.connection import Connection, RequestOptions, WaitOptions
from buntime.runloop.devbox import Devbox
from buntime.runloop.resource import EndsWithBlock, Listing, Operations, Resource
from buntime.runloop.scenario_builder import ScenarioBuilder
from buntime.runloop.wire.views import scoring as views


class ScenarioRun(EndsWithBlock[views.ScenarioRunView]):
    """A run of a scenario. As a context manager it is canceled at the end of the block, if it runs."""

    _calls = "scenarios.runs"
    _end_call = "cancel"
    _end_states = ("completed", "canceled", "timeout", "failed")

    def __init__(self, connection: Connection, run_id: str, devbox_id: str) -> None:
        super().__init__(connection, run_id)
        self._devbox_id = devbox_id

    @property
    def devbox_id(self) -> str:
        """The id of its devbox."""
        return self._devbox_id

    @property
    def devbox(self) -> Devbox:
        """The devbox on which the agent works."""
        return Devbox(self._connection, self._devbox_id)

    def await_env_ready(self, **options: Unpack[WaitOptions]) -> views.ScenarioRunView:
        """Wait until the devbox runs."""
        with self._connection.waits("await_env_ready", options) as (connection, _):
            waiting.RUNNING(connection, self._devbox_id)
            return connection.call("scenarios.runs.retrieve", self._id)

    def score(self, **options: Unpack[RequestOptions]) -> views.ScenarioRunView:
        """Start the scorers."""
        return self._call("score", **options)

    def await_scored(self, **options: Unpack[WaitOptions]) -> views.ScenarioRunView:
        """Wait until the run is scored; :class:`ResourceFailedError` if it is not being scored, or fails."""
        return self._call("await_scored", **options)

    def score_and_await(self, **options: Unpack[WaitOptions]) -> views.ScenarioRunView:
        """Start the scorers and wait until the run is scored."""
        return self._call("score_and_await", **options)

    def score_and_complete(self, **options: Unpack[WaitOptions]) -> views.ScenarioRunView:
        """Start the scorers, wait until the run is scored, and complete it, which ends its devbox.

        If it is not scored, or the wait ends early, the run and its devbox stay as they are.
        """
        return self._ended("score_and_complete", **options)

    def complete(self, **options: Unpack[RequestOptions]) -> views.ScenarioRunView:
        """Complete the run and end its devbox."""
        return self._ended("complete", **options)

    def cancel(self, **options: Unpack[RequestOptions]) -> views.ScenarioRunView:
        """Cancel the run and end its devbox."""
        return self._ended("cancel", **options)

    def get_score(self, **options: Unpack[RequestOptions]) -> Optional[views.ScoringContractResultView]:
        """Return the score and the results of the scorers; ``None`` before the run is scored."""
        return self.get_info(**options).scoring_contract_result

    def download_logs(self, file: Union[str, os.PathLike[str]], **options: Unpack[RequestOptions]) -> None:
        """Write the logs of the run and its devbox to a zip file on this machine."""
        Path(file).write_bytes(self._call("download_logs", **options))


class Scenario(Resource[views.ScenarioView]):
    """A scenario."""

    _calls = "scenarios"

    def update(self, **params: Any) -> views.ScenarioView:
        """Change fields, such as ``name`` and ``scoring_contract``; those that are absent stay."""
        return self._call("update", **params)

    def archive(self, **options: Unpack[RequestOptions]) -> views.ScenarioView:
        """Archive the scenario: lists no longer contain it."""
        return self._call("archive", **options)

    def run(self, **params: Any) -> ScenarioRun:
        """Start a run and return it when its devbox runs.

        ``params`` are ``run_name``, ``metadata``, ``benchmark_run_id`` and ``run_profile``, a mapping with
        ``env_vars``, ``secrets``, ``launch_parameters``, ``mounts`` and ``purpose``; and the options of a
        call that waits. If the devbox does not run, or the wait is interrupted, the run is canceled, which
        ends the devbox; the exception has its ``devbox_id``.
        """
        fields, call = {**params, "scenario_id": self._id}, "scenarios.start_run"
        view = waiting.create(self._connection, "scenario.run", fields, call)
        return ScenarioRun(self._connection, view.id, view.devbox_id)

    def run_async(self, **params: Any) -> ScenarioRun:
        """Start a run without waiting for its devbox; see :meth:`run`."""
        view = self._connection.call("scenarios.start_run", scenario_id=self._id, **params)
        return ScenarioRun(self._connection, view.id, view.devbox_id)


class ScenarioOps(Operations[Scenario]):
    """Creates and finds scenarios.

    :meth:`list` filters by ``name``, ``search``, ``benchmark_id`` and ``validation_type``.
    """

    _resource = Scenario

    def builder(self, name: str) -> ScenarioBuilder[Scenario]:
        """Return a builder for a scenario of that name."""
        return ScenarioBuilder(name, self.create)

    def create(self, **params: Any) -> Scenario:
        """Create a scenario; ``name``, ``input_context`` and ``scoring_contract`` are required."""
        return self._object(self._call("create", **params))

    def from_id(self, scenario_id: str) -> Scenario:
        """Return a scenario that exists; nothing is sent."""
        return Scenario(self._connection, scenario_id)


class Scorer(Resource[views.ScorerView]):
    """A scorer: a bash script that prints a line ``score=0.5``, or only the number; the last one counts."""

    _calls = "scenarios.scorers"

    def update(self, **params: Any) -> views.ScorerView:
        """Change ``type`` or ``bash_script``; one that is absent stays, for which the scorer is read."""
        if {"type", "bash_script"} - params.keys():
            old = self.get_info()
            params = {"type": old.type, "bash_script": old.bash_script, **params}
        return self._call("update", **params)

    def validate(self, *, scoring_context: Any, **params: Any) -> views.ScorerValidationView:
        """Run the scorer for a context of JSON values on a new devbox, which is removed afterwards.

        ``params`` are ``environment_parameters``, and the options of a request.
        """
        return self._call("validate", scoring_context=scoring_context, **params)


class ScorerOps(Operations[Scorer]):
    """Creates and finds scorers; :meth:`list` filters by ``search``."""

    _resource = Scorer

    def create(self, **params: Any) -> Scorer:
        """Create a scorer with its ``type``, which is unique, and its ``bash_script``."""
        return self._object(self._call("create", **params))

    def from_id(self, scorer_id: str) -> Scorer:
        """Return a scorer that exists; nothing is sent."""
        return Scorer(self._connection, scorer_id)


class BenchmarkRun(Resource[views.BenchmarkRunView]):
    """A run of a benchmark. Its scenarios are started with its id as ``benchmark_run_id``."""

    _calls = "benchmark_runs"

    def __init__(self, connection: Connection, run_id: str, benchmark_id: str) -> None:
        super().__init__(connection, run_id)
        self._benchmark_id = benchmark_id

    @property
    def benchmark_id(self) -> str:
        """The id of the benchmark."""
        return self._benchmark_id

    def cancel(self, **options: Unpack[RequestOptions]) -> views.BenchmarkRunView:
        """Cancel the run, and its scenario runs."""
        return self._call("cancel", **options)

    def complete(self, **options: Unpack[RequestOptions]) -> views.BenchmarkRunView:
        """Complete the run, which gets the mean of the scores of its scenario runs."""
        return self._call("complete", **options)

    def list_scenario_runs(self, **params: Any) -> Listing[ScenarioRun]:
        """Return its scenario runs, newest first; ``state`` and ``search`` filter them."""
        page = self._call("list_scenario_runs", **params)
        return Listing(page, lambda view: ScenarioRun(self._connection, view.id, view.devbox_id))


class Benchmark(Resource[views.BenchmarkView]):
    """A benchmark."""

    _calls = "benchmarks"

    def update(self, **params: Any) -> views.BenchmarkView:
        """Change fields, such as ``name`` and ``scenario_ids``; those that are absent stay."""
        return self._call("update", **params)

    def add_scenarios(self, scenario_ids: Iterable[str], **options: Any) -> views.BenchmarkView:
        """Add scenarios."""
        return self._call("update_scenarios", scenarios_to_add=list(scenario_ids), **options)

    def remove_scenarios(self, scenario_ids: Iterable[str], **options: Any) -> views.BenchmarkView:
        """Remove scenarios."""
        return self._call("update_scenarios", scenarios_to_remove=list(scenario_ids), **options)

    def start_run(self, **params: Any) -> BenchmarkRun:
        """Start a run with ``run_name``, ``metadata`` and ``run_profile``; see :meth:`Scenario.run`."""
        view = self._connection.call("benchmarks.start_run", benchmark_id=self._id, **params)
        return BenchmarkRun(self._connection, view.id, self._id)

    def list_runs(self, **params: Any) -> Listing[BenchmarkRun]:
        """Return its runs, newest first; ``name``, ``state`` and ``search`` filter them."""
        page = Page(self._connection, "benchmark_runs.list", {"benchmark_id": self._id, **params})
        return Listing(page, lambda view: BenchmarkRun(self._connection, view.id, self._id))


class BenchmarkOps(Operations[Benchmark]):
    """Creates and finds benchmarks; :meth:`list` filters by ``name`` and ``search``."""

    _resource = Benchmark

    def create(self, **params: Any) -> Benchmark:
        """Create a benchmark; ``name`` is required, ``scenario_ids`` are its scenarios."""
        return self._object(self._call("create", **params))

    def from_id(self, benchmark_id: str) -> Benchmark:
        """Return a benchmark that exists; nothing is sent."""
        return Benchmark(self._connection, benchmark_id)
