"""Benchmarks: sets of scenarios, and their runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from buntime._support.export import export
from buntime._support.typing import Unpack
from buntime.runloop.connection import Connection, RequestOptions
from buntime.runloop.pages import Listing, Page
from buntime.runloop.resource import Operations, Resource
from buntime.runloop.scenarios import ScenarioRun
from buntime.runloop.wire.views.scoring import BenchmarkRunView, BenchmarkView


class BenchmarkRun(Resource[BenchmarkRunView]):
    """A run of a benchmark. Its scenarios are started with its id as ``benchmark_run_id``."""

    _calls = "benchmark_runs"

    def __init__(self, connection: Connection, run_id: str, benchmark_id: str) -> None:
        super().__init__(connection, run_id)
        self._benchmark_id = benchmark_id

    @property
    def benchmark_id(self) -> str:
        """The id of the benchmark."""
        return self._benchmark_id

    def cancel(self, **options: Unpack[RequestOptions]) -> BenchmarkRunView:
        """Cancel the run, and its scenario runs."""
        return self._call("cancel", **options)

    def complete(self, **options: Unpack[RequestOptions]) -> BenchmarkRunView:
        """Complete the run, which gets the mean of the scores of its scenario runs."""
        return self._call("complete", **options)

    def list_scenario_runs(self, **params: Any) -> Listing[ScenarioRun]:
        """Return its scenario runs, newest first; ``state`` and ``search`` filter them."""
        page = Page(self._connection, "benchmark_runs.list_scenario_runs", params, self._id)
        return Listing(page, lambda view: ScenarioRun(self._connection, view.id, view.devbox_id))


class Benchmark(Resource[BenchmarkView]):
    """A benchmark."""

    _calls = "benchmarks"

    def update(self, **params: Any) -> BenchmarkView:
        """Change fields, such as ``name`` and ``scenario_ids``; those that are absent stay."""
        return self._call("update", **params)

    def add_scenarios(self, scenario_ids: Iterable[str], **options: Any) -> BenchmarkView:
        """Add scenarios."""
        return self._call("update_scenarios", scenarios_to_add=list(scenario_ids), **options)

    def remove_scenarios(self, scenario_ids: Iterable[str], **options: Any) -> BenchmarkView:
        """Remove scenarios."""
        fields = {"scenarios_to_remove": list(scenario_ids)}
        return self._call("update_scenarios", **fields, **options)

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
        return Benchmark(self._connection, self._connection.call("benchmarks.create", **params).id)

    def from_id(self, benchmark_id: str) -> Benchmark:
        """Return a benchmark that exists; nothing is sent."""
        return Benchmark(self._connection, benchmark_id)


export("buntime.runloop", Benchmark, BenchmarkOps, BenchmarkRun)
