"""The state of the service: devboxes, snapshots and blueprints by id."""

from __future__ import annotations

import secrets
import string
import threading
from collections.abc import Iterable
from typing import Callable, Generic, Optional, Protocol, TypeVar

import attrs

from buntime._support.forks import reset_after_fork
from buntime.service.devboxes.box import Host
from buntime.service.devboxes.devbox import ENDED, Devbox
from buntime.service.devboxes.errors import ApiError, invalid, missing
from buntime.service.devboxes.scoring import ALIVE, BenchmarkRun, Record, ScenarioRun
from buntime.service.devboxes.storage import Agent, Blueprint, NamedSecret, Snapshot, StoredObject
from buntime.service.devboxes.waiting import Waiter

_LETTERS = string.ascii_letters + string.digits
_MOST = 10_000
_REMEMBERED = 3600.0
"""Seconds for which a create can be repeated."""


class _Identified(Protocol):
    @property
    def id(self) -> str: ...


class _Named(_Identified, Protocol):
    @property
    def name(self) -> str: ...


T = TypeVar("T", bound="_Identified")
N = TypeVar("N", bound="_Named")


def new_id(prefix: str) -> str:
    """Return the prefix and 20 random letters and digits."""
    return prefix + "".join(secrets.choice(_LETTERS) for _ in range(20))


class Table(Generic[T]):
    """Objects by id, in the order they were added. Of those for which ``over`` holds, the oldest go first."""

    def __init__(
        self, kind: str, over: Callable[[T], bool], key: Callable[[T], str] = lambda row: row.id
    ) -> None:
        self._kind = kind
        self._key = key
        self._over = over
        self._rows: dict[str, T] = {}
        self._lock = reset_after_fork(threading.Lock())

    def remove(self, row: T) -> None:
        """Remove an object, if it is there."""
        with self._lock:
            self._rows.pop(self._key(row), None)

    def add(self, row: T) -> None:
        """Add an object. Of more than 10,000, the oldest that is over is forgotten."""
        with self._lock:
            if len(self._rows) >= _MOST:
                oldest = next((each for each in self._rows.values() if self._over(each)), None)
                if oldest is not None:
                    del self._rows[self._key(oldest)]
            self._rows[self._key(row)] = row

    def find(self, row_id: str) -> Optional[T]:
        """Return an object, if there is one."""
        with self._lock:
            return self._rows.get(row_id)

    def get(self, row_id: str) -> T:
        """Return an object; a 404 if there is none."""
        row = self.find(row_id)
        if row is None:
            raise missing(self._kind, row_id)
        return row

    def newest_first(self) -> list[T]:
        """Return all objects."""
        with self._lock:
            return list(reversed(self._rows.values()))


class Requests:
    """The ids that creates made, by their ``x-request-id``: a repeated create returns the same object.

    A create in progress makes its repetition wait. An id is remembered for an hour, and at most 10,000 are.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._ids: dict[str, tuple[str, float]] = {}
        self._in_progress: set[str] = set()
        self._changed = reset_after_fork(threading.Condition())

    def once(self, key: Optional[str], make: Callable[[], str]) -> str:
        """Return the id for a key, made by ``make`` for the first request."""
        if key is None:
            return make()
        with self._changed:
            while key in self._in_progress:
                self._changed.wait()
            self._forget_old()
            if key in self._ids:
                return self._ids[key][0]
            self._in_progress.add(key)
        try:
            made_id = make()
            with self._changed:
                self._ids[key] = made_id, self._monotonic()
            return made_id
        finally:
            with self._changed:
                self._in_progress.remove(key)
                self._changed.notify_all()

    def _forget_old(self) -> None:
        """Forget the ids of an hour ago, and the oldest of more than 10,000."""
        start = self._monotonic() - _REMEMBERED
        while self._ids:
            oldest = next(iter(self._ids))
            if len(self._ids) <= _MOST and self._ids[oldest][1] >= start:
                return
            del self._ids[oldest]


def _is_archived(record: Record) -> bool:
    return record.fields.get("status") == "archived"


def _newest(kind: str, name: Optional[str], rows: Iterable[N]) -> Optional[N]:
    if name is None:
        return None
    row = next((each for each in rows if each.name == name), None)
    if row is None:
        raise missing(kind, name)
    return row


@attrs.define(eq=False)
class Model:
    """Everything that the routes act on."""

    host: Host
    waiter: Waiter
    new_id: Callable[[str], str] = new_id
    devboxes: Table[Devbox] = attrs.field(factory=lambda: Table("Devbox", lambda each: each.status in ENDED))
    snapshots: Table[Snapshot] = attrs.field(
        factory=lambda: Table("Snapshot", lambda each: each.status in {"error", "deleted"})
    )
    blueprints: Table[Blueprint] = attrs.field(factory=lambda: Table("Blueprint", lambda each: each.deleted))
    scenarios: Table[Record] = attrs.field(factory=lambda: Table("Scenario", _is_archived))
    scorers: Table[Record] = attrs.field(factory=lambda: Table("Scorer", _is_archived))
    benchmarks: Table[Record] = attrs.field(factory=lambda: Table("Benchmark", _is_archived))
    scenario_runs: Table[ScenarioRun] = attrs.field(
        factory=lambda: Table("Scenario run", lambda each: each.state not in ALIVE)
    )
    benchmark_runs: Table[BenchmarkRun] = attrs.field(
        factory=lambda: Table("Benchmark run", lambda each: each.state != "running")
    )
    requests: Requests = attrs.field(
        default=attrs.Factory(lambda self: Requests(self.host.clock.monotonic), takes_self=True)
    )
    objects: Table[StoredObject] = attrs.field(
        factory=lambda: Table("Object", lambda each: each.state == "DELETED")
    )
    agents: Table[Agent] = attrs.field(factory=lambda: Table("Agent", lambda _: True))
    secrets: Table[NamedSecret] = attrs.field(
        factory=lambda: Table("Secret", lambda _: True, lambda each: each.name)
    )
    """By name."""

    closed: bool = False

    def check_open(self) -> None:
        """Raise a 503 once the service is closed."""
        if self.closed:
            raise ApiError(503, "The service is shutting down")

    def alive(self) -> list[Devbox]:
        """Return the devboxes that have not ended, the oldest first, each brought up to date."""
        devboxes = [each for each in reversed(self.devboxes.newest_first()) if each.status not in ENDED]
        for devbox in devboxes:
            with devbox.lock:
                devbox.settle()
        return [each for each in devboxes if each.status not in ENDED]

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

    def agent(self, agent_id: Optional[str], name: Optional[str]) -> Optional[Agent]:
        """Return an agent by its id, or the newest of a name; ``None`` without both, a 404 if missing."""
        if agent_id is not None:
            return self.agents.get(agent_id)
        return _newest("Agent", name, self.agents.newest_first())

    def blueprint(self, blueprint_id: Optional[str], name: Optional[str]) -> Optional[Blueprint]:
        """Return a blueprint by its id, or the newest of a name; ``None`` without both, a 404 if missing."""
        if blueprint_id is not None:
            return self.blueprints.get(blueprint_id)
        return _newest(
            "Blueprint", name, (each for each in self.blueprints.newest_first() if not each.deleted)
        )

    def snapshot(self, snapshot_id: str) -> Snapshot:
        """Return a snapshot, brought up to date; a 404 if there is none."""
        snapshot = self.snapshots.get(snapshot_id)
        devbox = self.devboxes.find(snapshot.source_devbox_id)
        if devbox is not None:
            with devbox.lock:
                devbox.settle()
        if snapshot.status == "complete" and snapshot.size_bytes is None:
            snapshot.size_bytes = self.host.snapshot_size(snapshot_id)
        return snapshot
