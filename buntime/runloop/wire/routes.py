"""The calls of the API as one table, which `api`, the retries, the reference and the tests read.

A row is the name in the ``api`` tree, the method and path with its query, whether the call may be repeated
(with the statuses that it leads to, or the seconds for which the service may hold it), the response, and the
fields; one with ``*`` is required.
"""

from __future__ import annotations

import enum
import re
from functools import cached_property
from string import Template

import attrs


class Repeat(enum.Enum):
    """Whether a call is sent again if its response was lost."""

    READ = "yes: it changes nothing"
    WRITE = "yes: the second time has the same result"
    END = "yes: 404 or 409 after a repeat means that it was done"
    CREATE = "yes: each attempt has the same x-request-id"
    COMMAND = "yes: each attempt has the same command_id"
    SETTLE = "yes: 400 or 409 after a repeat is settled by a GET of the resource"
    NEVER = "no: only if nothing can have been done"


@attrs.frozen(slots=False)
class Route:
    """One call of the API."""

    name: str
    method: str
    path: str
    repeat: Repeat
    view: str = ""
    """The class of the response in ``views``; ``"text"``, ``"bytes"`` or ``"zip"`` for a file."""
    body: tuple[str, ...] = ()
    query: tuple[str, ...] = ()
    required: frozenset[str] = frozenset()
    items: str = ""
    """The field of a page that has its items; each is a ``view``."""
    hold: float = 0
    """Seconds for which the service may hold the response beyond the usual time."""
    goal: tuple[str, ...] = ()
    """The statuses of a resource in which a call to change it was carried out before."""

    @cached_property
    def arguments(self) -> tuple[str, ...]:
        """The names in the path, that of the resource first and that of its devbox last."""
        return tuple(reversed(re.findall(r"{(\w+)}", self.path)))

    @property
    def is_multipart(self) -> bool:
        """Whether the request is an uploaded file."""
        return "file" in self.body

    @property
    def is_read(self) -> bool:
        """Whether the call changes nothing."""
        return self.repeat is Repeat.READ

    @property
    def is_wait(self) -> bool:
        """Whether the service holds the request until a status is reached."""
        return "statuses" in self.body

    @property
    def is_stream(self) -> bool:
        """Whether the response is a stream of events."""
        return self.view == "stream"


_TABLE = """
devboxes.create | POST /v1/devboxes | CREATE | DevboxView | $devbox
devboxes.list | GET /v1/devboxes?status | READ | devboxes of DevboxView
devboxes.retrieve | GET $d | READ | DevboxView
devboxes.update | POST $d | WRITE | DevboxView | name metadata
devboxes.wait_for_status | POST $d/wait_for_status | READ 30 | DevboxView | $wait
devboxes.shutdown | POST $d/shutdown?force | SETTLE shutdown failure | DevboxView
devboxes.suspend | POST $d/suspend | SETTLE suspending suspended | DevboxView
devboxes.resume | POST $d/resume | SETTLE resuming running | DevboxView
devboxes.keep_alive | POST $d/keep_alive | WRITE | View
devboxes.enable_tunnel | POST $d/enable_tunnel | SETTLE | TunnelView | auth_mode http_keep_alive wake_on_http
devboxes.remove_tunnel | POST $d/remove_tunnel | END | View
devboxes.create_ssh_key | POST $d/create_ssh_key | CREATE | SSHKeyView
devboxes.logs.list | GET $d/logs?execution_id&shell_name | READ | DevboxLogsView
devboxes.execute | POST $d/execute?last_n | COMMAND 600 | ExecutionView | $execute
devboxes.execute_async | POST $d/execute_async | NEVER | ExecutionView | $run
devboxes.execute_sync | POST $d/execute_sync | NEVER 600 | ExecutionDetailView | $run
devboxes.executions.retrieve | GET $e?last_n | READ | ExecutionView
devboxes.wait_for_command | POST $e/wait_for_status?last_n | READ 25 | ExecutionView | $wait
devboxes.executions.kill | POST $e/kill | END | ExecutionView | kill_process_group
devboxes.executions.send_std_in | POST $e/send_std_in | NEVER | SendStdInView | text signal
devboxes.executions.stream_stdout_updates | GET $e/stream_stdout_updates?offset | READ | stream
devboxes.executions.stream_stderr_updates | GET $e/stream_stderr_updates?offset | READ | stream
devboxes.write_file_contents | POST $d/write_file_contents | WRITE 600 | ExecutionDetailView | $file
devboxes.read_file_contents | POST $d/read_file_contents | READ 600 | text | file_path*
devboxes.upload_file | POST $d/upload_file | WRITE 600 | View | path* file*
devboxes.download_file | POST $d/download_file | READ 600 | bytes | path*
devboxes.snapshot_disk_async | POST $d/snapshot_disk_async | CREATE | SnapshotView | $texts
devboxes.disk_snapshots.list | GET $s$source | READ | snapshots of SnapshotView
devboxes.disk_snapshots.query_status | GET $s/{id}/status | READ | SnapshotStatusView
devboxes.disk_snapshots.update | POST $s/{id} | WRITE | SnapshotView | $texts
devboxes.disk_snapshots.delete | POST $s/{id}/delete | END | View
blueprints.create | POST /v1/blueprints | CREATE | BlueprintView | $blueprint
blueprints.list | GET /v1/blueprints?name&status | READ | blueprints of BlueprintView
blueprints.list_public | GET /v1/blueprints/list_public?name&status | READ | blueprints of BlueprintView
blueprints.retrieve | GET /v1/blueprints/{id} | READ | BlueprintView
blueprints.logs | GET /v1/blueprints/{id}/logs | READ | BlueprintLogsView
blueprints.delete | POST /v1/blueprints/{id}/delete | END | View
objects.create | POST /v1/objects | CREATE | ObjectView | name* content_type* metadata ttl_ms
objects.list | GET /v1/objects?$objects | READ | objects of ObjectView
objects.list_public | GET /v1/objects/list_public?$objects | READ | objects of ObjectView
objects.retrieve | GET $o | READ | ObjectView
objects.complete | POST $o/complete | SETTLE READ_ONLY | ObjectView
objects.download | GET $o/download?duration_seconds | READ | ObjectDownloadURLView
objects.delete | POST $o/delete | WRITE | ObjectView
agents.create | POST /v1/agents | CREATE | AgentView | name* source version
agents.list | GET /v1/agents?is_public&$agents | READ | agents of AgentView
agents.list_public | GET /v1/agents/list_public?$agents | READ | agents of AgentView
agents.retrieve | GET /v1/agents/{id} | READ | AgentView
agents.delete | POST /v1/agents/{id}/delete | END | View
secrets.create | POST /v1/secrets | CREATE | SecretView | name* value*
secrets.list | GET /v1/secrets?limit | READ | secrets of SecretView
secrets.retrieve | GET /v1/secrets/{name} | READ | SecretView
secrets.update | POST /v1/secrets/{name} | WRITE | SecretView | value*
secrets.delete | POST /v1/secrets/{name}/delete | END | SecretView
scenarios.create | POST $c | CREATE | ScenarioView | name* input_context* scoring_contract* $scenario
scenarios.list | GET $c?$find&benchmark_id&validation_type | READ | scenarios of ScenarioView
scenarios.list_public | GET $c/list_public?$find | READ | scenarios of ScenarioView
scenarios.retrieve | GET $c/{id} | READ | ScenarioView
scenarios.update | POST $c/{id} | WRITE | ScenarioView | name input_context scoring_contract $scenario
scenarios.archive | POST $c/{id}/archive | WRITE | ScenarioView
scenarios.start_run | POST $c/start_run | CREATE | ScenarioRunView | scenario_id* benchmark_run_id $start
scenarios.runs.list | GET $c/runs?$find&state&scenario_id&benchmark_run_id | READ | runs of ScenarioRunView
scenarios.runs.retrieve | GET $r | READ | ScenarioRunView
scenarios.runs.score | POST $r/score | SETTLE scoring scored | ScenarioRunView
scenarios.runs.complete | POST $r/complete | SETTLE completed | ScenarioRunView
scenarios.runs.cancel | POST $r/cancel | SETTLE canceled | ScenarioRunView
scenarios.runs.download_logs | POST $r/download_logs | READ 600 | zip
scenarios.scorers.create | POST $c/scorers | CREATE | ScorerView | type* bash_script*
scenarios.scorers.list | GET $c/scorers?search | READ | scorers of ScorerView
scenarios.scorers.retrieve | GET $c/scorers/{id} | READ | ScorerView
scenarios.scorers.update | POST $c/scorers/{id} | WRITE | ScorerView | type* bash_script*
scenarios.scorers.validate | POST $c/scorers/{id}/validate | WRITE 600 | ScorerValidationView | $validate
benchmarks.create | POST $b | CREATE | BenchmarkView | name* $benchmark
benchmarks.list | GET $b?$find | READ | benchmarks of BenchmarkView
benchmarks.list_public | GET $b/list_public?$find | READ | benchmarks of BenchmarkView
benchmarks.retrieve | GET $b/{id} | READ | BenchmarkView
benchmarks.update | POST $b/{id} | WRITE | BenchmarkView | name $benchmark
benchmarks.definitions | GET $b/{id}/definitions | READ | scenarios of ScenarioView
benchmarks.update_scenarios | POST $b/{id}/scenarios | WRITE | BenchmarkView | $scenarios
benchmarks.start_run | POST $b/start_run | CREATE | BenchmarkRunView | benchmark_id* $start
benchmark_runs.list | GET /v1/benchmark_runs?$find&state&benchmark_id | READ | runs of BenchmarkRunView
benchmark_runs.retrieve | GET $q | READ | BenchmarkRunView
benchmark_runs.complete | POST $q/complete | SETTLE completed | BenchmarkRunView
benchmark_runs.cancel | POST $q/cancel | SETTLE canceled | BenchmarkRunView
benchmark_runs.list_scenario_runs | GET $q/scenario_runs?state&search | READ | runs of ScenarioRunView
"""
_PARTS = {
    "d": "/v1/devboxes/{id}",
    "e": "/v1/devboxes/{devbox_id}/executions/{execution_id}",
    "s": "/v1/devboxes/disk_snapshots",
    "o": "/v1/objects/{id}",
    "objects": "content_type&name&search&state",
    "agents": "name&search&version",
    "c": "/v1/scenarios",
    "r": "/v1/scenarios/runs/{id}",
    "b": "/v1/benchmarks",
    "q": "/v1/benchmark_runs/{id}",
    "find": "name&search",
    "scenarios": "scenarios_to_add scenarios_to_remove",
    "start": "run_name metadata run_profile",
    "validate": "scoring_context* environment_parameters",
    "scenario": "environment_parameters metadata reference_output required_environment_variables "
    "required_secret_names scorer_timeout_sec validation_type",
    "benchmark": "scenario_ids description attribution metadata required_environment_variables "
    "required_secret_names",
    "execute": "command* command_id* optimistic_timeout shell_name",
    "run": "command* attach_stdin shell_name",
    "wait": "statuses* timeout_seconds",
    "file": "file_path* contents*",
    "texts": "name commit_message metadata",
    "source": "?devbox_id&source_blueprint_id&metadata",
    "devbox": "name metadata environment_variables secrets launch_parameters mounts file_mounts code_mounts "
    "entrypoint tunnel gateways mcp blueprint_id blueprint_name snapshot_id",
    "blueprint": "name* dockerfile system_setup_commands build_args build_context base_blueprint_id "
    "base_blueprint_name launch_parameters file_mounts code_mounts services secrets metadata "
    "network_policy_id",
}


def _route(row: str) -> Route:
    """Return the route of a row: name, method and path, repeat and hold, response, fields."""
    name, target, repeat, view, body = (*map(str.strip, Template(row).substitute(_PARTS).split("|")), "")[:5]
    method, _, path = target.partition(" ")
    path, _, query = path.partition("?")
    kind, *goal = repeat.split()
    hold = float(goal.pop()) if goal and kind != "SETTLE" else 0
    items, _, item_view = view.partition(" of ")
    names = query.split("&") if query else []
    if item_view and "limit" not in names:
        names = ["limit", "starting_after", "include_total_count", *names]
    return Route(
        name,
        method,
        path,
        Repeat[kind],
        item_view or view,
        body=tuple(body.replace("*", "").split()),
        query=tuple(names),
        required=frozenset(field[:-1] for field in body.split() if field.endswith("*")),
        items=items if item_view else "",
        hold=hold,
        goal=tuple(goal),
    )


_SAME = {
    "devboxes.delete_disk_snapshot": "devboxes.disk_snapshots.delete",
    "devboxes.list_disk_snapshots": "devboxes.disk_snapshots.list",
    "devboxes.executions.execute_async": "devboxes.execute_async",
    "devboxes.executions.execute_sync": "devboxes.execute_sync",
}
_SAME.update({f"benchmarks.runs.{call}": f"benchmark_runs.{call}" for call in ("list", "retrieve", "cancel")})
"""Second names in the official tree."""

ROUTES: dict[str, Route] = {route.name: route for route in map(_route, _TABLE.strip().splitlines())}
BY_NAME: dict[str, Route] = {**ROUTES, **{name: ROUTES[first] for name, first in _SAME.items()}}


def custom_route(method: str, path: str) -> Route:
    """Return a route for a call that has no row: a GET is repeated, anything else never."""
    return Route(f"{method} {path}", method, path, Repeat.READ if method == "GET" else Repeat.NEVER, "json")
