"""The state of the service: devboxes, snapshots and blueprints by id."""

from __future__ import annotations

from typing import Any, Callable, Generic, Optional, TypeVar, cast

from buntime.service.devboxes.box import Host
from buntime.service.devboxes.devbox import ENDED, Devbox
from buntime.service.devboxes.errors import ApiError, invalid, missing
from buntime.service.devboxes.scoring import ALIVE, BenchmarkRun, Record, ScenarioRun
from buntime.service.devboxes.storage import Agent, Blueprint, NamedSecret, Snapshot, StoredObject
from buntime.service.idempotency import Idempotency

_MOST = 10_000
_REMEMBERED = 3600.0
"""Seconds for which a create can be repeated."""

T = TypeVar("T")


class Table(Generic[T]):
    """Objects by id, in the order they were added. Of more than 10,000, the oldest that is over is forgotten.

    Threads need no lock: each method is one step of the mapping.
    """

    def __init__(self, kind: str, is_over: Callable[[T], bool], *, key: str = "id") -> None:
        self._kind = kind
        self._is_over = is_over
        self._key = key
        self._rows: dict[str, T] = {}

    def add(self, row: T) -> T:
        """Add an object, and return it."""
        if len(self._rows) >= _MOST:
            over = next(filter(self._is_over, list(self._rows.values())), None)
            if over is not None:
                self.remove(over)
        self._rows[getattr(row, self._key)] = row
        return row

    def remove(self, row: T) -> None:
        """Remove an object, if it is there."""
        self._rows.pop(getattr(row, self._key), None)

    def find(self, row_id: str) -> Optional[T]:
        """Return an object, if there is one."""
        return self._rows.get(row_id)

    def get(self, row_id: str) -> T:
        """Return an object; a 404 if there is none."""
        row = self.find(row_id)
        if row is None:
            raise missing(self._kind, row_id)
        return row

    def newest_first(self) -> list[T]:
        """Return all objects."""
        return list(self._rows.values())[::-1]

    def find_named(self, row_id: Optional[str], name: Optional[str]) -> Optional[T]:
        """Return an object by its id, or the newest of a name; ``None`` without both, a 404 if missing."""
        if row_id is not None or name is None:
            return None if row_id is None else self.get(row_id)
        rows: list[Any] = self.newest_first()
        for row in rows:
            if row.name == name and not getattr(row, "deleted", False):
                return cast("T", row)
        raise missing(self._kind, name)


def _is_archived(record: Record) -> bool:
    return record.fields.get("status") == "archived"


class Model:
    """Everything that the routes act on."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.new_id: Callable[[str], str] = host.new_id
        self.closed: bool = False
        self.requests: Idempotency = Idempotency(host.clock, _REMEMBERED)
        self.devboxes: Table[Devbox] = Table("Devbox", lambda each: each.status in ENDED)
        self.snapshots: Table[Snapshot] = Table("Snapshot", lambda each: each.status in {"error", "deleted"})
        self.blueprints: Table[Blueprint] = Table("Blueprint", lambda each: each.deleted)
        self.scenarios: Table[Record] = Table("Scenario", _is_archived)
        self.scorers: Table[Record] = Table("Scorer", _is_archived)
        self.benchmarks: Table[Record] = Table("Benchmark", _is_archived)
        self.scenario_runs: Table[ScenarioRun] = Table("Scenario run", lambda each: each.state not in ALIVE)
        self.benchmark_runs: Table[BenchmarkRun] = Table("Benchmark run", lambda run: run.state != "running")
        self.objects: Table[StoredObject] = Table("Object", lambda each: each.state == "DELETED")
        self.agents: Table[Agent] = Table("Agent", lambda _: True)
        self.secrets: Table[NamedSecret] = Table("Secret", lambda _: True, key="name")

    def check_open(self) -> None:
        """Raise a 503 once the service is closed."""
        if self.closed:
            raise ApiError(503, "The service is shutting down")

    def alive(self) -> list[Devbox]:
        """Return the devboxes that have not ended, the oldest first, each brought up to date."""
        devboxes = [each for each in self.devboxes.newest_first()[::-1] if each.status not in ENDED]
        return [each for each in devboxes if each.settle() not in ENDED]

    def script(self, scorer_type: str) -> str:
        """Return the script of a scorer; a 404 if there is none."""
        scripts = {each.fields["type"]: each.fields["bash_script"] for each in self.scorers.newest_first()}
        if scorer_type not in scripts:
            raise missing("Scorer", scorer_type)
        return str(scripts[scorer_type])

    def runs_of(self, benchmark_run: BenchmarkRun) -> list[ScenarioRun]:
        """Return the scenario runs of a benchmark run, the newest first."""
        runs = self.scenario_runs.newest_first()
        return [run for run in runs if run.details.get("benchmark_run_id") == benchmark_run.id]

    def now_ms(self) -> int:
        """Return the time in milliseconds since the epoch."""
        return round(1000 * self.host.clock.time())

    def secret_values(self) -> dict[str, str]:
        """Return the values of secrets by name."""
        return {secret.name: secret.value for secret in self.secrets.newest_first()}

    def all_objects(self) -> list[StoredObject]:
        """Return all objects, the newest first; those whose time is over are deleted."""
        objects, now = self.objects.newest_first(), self.now_ms()
        for stored in objects:
            if (stored.delete_after_time_ms or now + 1) <= now:
                self.remove_object(stored)
        return objects

    def object(self, object_id: str) -> StoredObject:
        """Return an object, brought up to date; a 404 if there is none."""
        self.all_objects()
        return self.objects.get(object_id)

    def readable_object(self, object_id: str) -> StoredObject:
        """Return an object that is complete; a 400 for any other."""
        stored = self.object(object_id)
        if stored.state != "READ_ONLY":
            raise invalid(f"Object {stored.id} is {stored.state}")
        return stored

    def remove_object(self, stored: StoredObject) -> None:
        """Delete an object with its content."""
        stored.state = "DELETED"
        self.host.store.remove(stored.id)

    def snapshot(self, snapshot_id: str) -> Snapshot:
        """Return a snapshot, brought up to date; a 404 if there is none."""
        snapshot = self.snapshots.get(snapshot_id)
        devbox = self.devboxes.find(snapshot.source_devbox_id)
        if devbox is not None:
            devbox.settle()
        if snapshot.status == "complete" and snapshot.size_bytes is None:
            snapshot.size_bytes = self.host.snapshot_size(snapshot_id)
        return snapshot
