"""Scenarios: a task, an environment and scorers; and their runs, each on a devbox."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Optional, Union

from buntime._support.export import export
from buntime._support.typing import Unpack
from buntime.runloop import waiting
from buntime.runloop.connection import Connection, RequestOptions, WaitOptions
from buntime.runloop.devbox import Devbox
from buntime.runloop.resource import EndsWithBlock, Operations, Resource
from buntime.runloop.scenario_builder import ScenarioBuilder
from buntime.runloop.wire.views.scoring import ScenarioRunView, ScenarioView, ScoringContractResultView


class ScenarioRun(EndsWithBlock[ScenarioRunView]):
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

    def await_env_ready(self, **options: Unpack[WaitOptions]) -> ScenarioRunView:
        """Wait until the devbox runs."""
        with self._connection.waits("await_env_ready", options) as (connection, _):
            waiting.await_devbox(connection, self._devbox_id, "running")
            return connection.call("scenarios.runs.retrieve", self._id)

    def score(self, **options: Unpack[RequestOptions]) -> ScenarioRunView:
        """Start the scorers."""
        return self._call("score", **options)

    def await_scored(self, **options: Unpack[WaitOptions]) -> ScenarioRunView:
        """Wait until the run is scored; :class:`ResourceFailedError` if it is not being scored, or fails."""
        with self._connection.waits("await_scored", options) as (connection, _):
            return waiting.await_scored(connection, self._id)

    def score_and_await(self, **options: Unpack[WaitOptions]) -> ScenarioRunView:
        """Start the scorers and wait until the run is scored."""
        with self._connection.waits("score_and_await", options) as (connection, request):
            return waiting.score(connection, self._id, request)

    def score_and_complete(self, **options: Unpack[WaitOptions]) -> ScenarioRunView:
        """Start the scorers, wait until the run is scored, and complete it, which ends its devbox.

        If it is not scored, or the wait ends early, the run and its devbox stay as they are.
        """
        with self._connection.waits("score_and_complete", options) as (connection, request):
            waiting.score(connection, self._id, request)
            view: ScenarioRunView = connection.call("scenarios.runs.complete", self._id)
        self._has_ended = True
        return view

    def complete(self, **options: Unpack[RequestOptions]) -> ScenarioRunView:
        """Complete the run and end its devbox."""
        return self._ended("complete", options)

    def cancel(self, **options: Unpack[RequestOptions]) -> ScenarioRunView:
        """Cancel the run and end its devbox."""
        return self._ended("cancel", options)

    def _ended(self, call: str, options: RequestOptions) -> ScenarioRunView:
        view: ScenarioRunView = self._call(call, **options)
        self._has_ended = True
        return view

    def get_score(self, **options: Unpack[RequestOptions]) -> Optional[ScoringContractResultView]:
        """Return the score and the results of the scorers; ``None`` before the run is scored."""
        return self.get_info(**options).scoring_contract_result

    def download_logs(self, file: Union[str, os.PathLike[str]], **options: Unpack[RequestOptions]) -> None:
        """Write the logs of the run and its devbox to a zip file on this machine."""
        Path(file).write_bytes(self._call("download_logs", **options))


class Scenario(Resource[ScenarioView]):
    """A scenario."""

    _calls = "scenarios"

    def update(self, **params: Any) -> ScenarioView:
        """Change fields, such as ``name`` and ``scoring_contract``; those that are absent stay."""
        return self._call("update", **params)

    def archive(self, **options: Unpack[RequestOptions]) -> ScenarioView:
        """Archive the scenario: lists no longer contain it."""
        return self._call("archive", **options)

    def run(self, **params: Any) -> ScenarioRun:
        """Start a run and return it when its devbox runs.

        ``params`` are ``run_name``, ``metadata``, ``benchmark_run_id`` and ``run_profile``, a mapping with
        ``env_vars``, ``secrets``, ``launch_parameters``, ``mounts`` and ``purpose``; and the options of a
        call that waits. If the devbox does not run, or the wait is interrupted, the run is canceled, which
        ends the devbox; the exception has its ``devbox_id``.
        """
        call = "scenarios.start_run"
        with self._connection.waits("scenario.run", params, call) as (connection, fields):
            view = waiting.start_run(connection, {**fields, "scenario_id": self._id})
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
        return Scenario(self._connection, self._connection.call("scenarios.create", **params).id)

    def from_id(self, scenario_id: str) -> Scenario:
        """Return a scenario that exists; nothing is sent."""
        return Scenario(self._connection, scenario_id)


export("buntime.runloop", Scenario, ScenarioOps, ScenarioRun)
