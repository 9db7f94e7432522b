"""Many calls with random faults.

``python -m tests.faults.long_run --calls 20000 --seed 1 --fault-rate 0.05``

Several threads share one client and so its connections. Each call has a tag, which its requests carry in a
header; the seed and the tag decide the call and its faults.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Optional

import attrs

from buntime import Buntime, BuntimeError
from tests.faults.calls import CALLS, Call, World
from tests.faults.fault import Fault
from tests.faults.more_calls import MORE_CALLS
from tests.faults.server import FaultServer
from tests.faults.service import CountingService
from tests.faults.table import FAULTS
from tests.support.loopback import Received

_FAULTS = {
    streamed: [
        fault
        for fault in FAULTS
        if fault.moment == "request" and fault.only_streams <= streamed and not fault.accepted_by
    ]
    for streamed in (False, True)
}
"""The faults of one request that no call accepts as a response, by whether its response is a stream."""
_TAG = "X-Tag"
_DEADLINE = 1.0
_BLOCK = 50
_PAGE_SIZE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 0


@attrs.define
class Report:
    """The counts of a run. All but the first four are failures if they are not zero."""

    calls: int = 0
    faults: int = 0
    errors: int = 0
    files: int = 0
    crossed: list[str] = attrs.Factory(list)
    duplicated_executions: int = 0
    duplicated_sessions: int = 0
    lost_files: int = 0
    unexpected: list[str] = attrs.Factory(list)
    growth: float = 0.0
    """Megabytes by which the process grew after the first tenth of the calls."""
    seconds: float = 0.0

    def failures(self) -> dict[str, object]:
        """Return the counts that must be zero and are not."""
        names = ("crossed", "duplicated_executions", "duplicated_sessions", "lost_files", "unexpected")
        return {name: getattr(self, name) for name in names if getattr(self, name)}


class LongRun:
    """One run; see the module."""

    def __init__(self, calls: int, seed: int, fault_rate: float, threads: int = 8) -> None:
        self.report = Report()
        self.outcomes: Counter[str] = Counter()
        """How often each class of error was raised."""
        self._calls, self._seed, self._fault_rate, self._threads = calls, seed, fault_rate, threads
        self._lock = threading.Lock()
        self._service = CountingService()
        self._requests: Counter[str] = Counter()
        self._early_size = 0.0

    def run(self) -> Report:
        """Make the calls and return the report."""
        started = time.monotonic()
        with (
            tempfile.TemporaryDirectory() as folder,
            FaultServer(self._service, self._choose) as server,
            Buntime("key", base_url=server.url, deadline=_DEADLINE, max_retries=3, retry_delay=0) as client,
            ThreadPoolExecutor(self._threads) as threads,
        ):
            blocks = range(0, self._calls, _BLOCK)
            for _ in threads.map(lambda first: self._block(first, server, client, Path(folder)), blocks):
                pass
            self.report.faults = server.struck
        self.report.growth = max(0.0, _size() - self._early_size)
        self.report.seconds = time.monotonic() - started
        return self.report

    def _choose(self, received: Received) -> Optional[Fault]:
        tag = received.headers[_TAG]
        with self._lock:
            self._requests[tag] += 1
            chance = random.Random(f"{self._seed} {tag} {self._requests[tag]}")
        faults = _FAULTS["event-stream" in received.headers.get("Accept", "")]
        return chance.choice(faults) if chance.random() < self._fault_rate else None

    def _block(self, first: int, server: FaultServer, client: Buntime, folder: Path) -> None:
        """Make some calls, each in a session of its own."""
        for number in range(first, min(first + _BLOCK, self._calls)):
            tag = f"t{number}"
            call = random.Random(f"{self._seed} {tag}").choice(CALLS + MORE_CALLS)
            session_id = self._service.create(tag)
            world = World(tag, self._service, client.with_options(headers={_TAG: tag}), session_id, folder)
            self._make(call, world)
            with self._lock:
                server.requests.clear()
                self._requests.pop(tag, None)
        with self._lock:
            if not self._early_size and self.report.calls >= self._calls // 10:
                self._early_size = _size()

    def _make(self, call: Call, world: World) -> None:
        tag, service, report = world.tag, self._service, self.report
        call.prepare(world)
        service.executions.pop(tag, None)
        value: object = None
        raised: Optional[Exception] = None
        try:
            value = call.run(world)
        except Exception as error:
            raised = error
        lost = False
        wrote = call.name in {"files.write", "files.upload"} and raised is None
        if wrote:
            content = service.model.sessions[world.session_id].workspace.read(f"{tag}.txt")
            lost = hashlib.sha256(content).digest() != hashlib.sha256(tag.encode()).digest()
        created = service.created.pop(tag, set())
        for session_id in {world.session_id, *created} & service.model.sessions.keys():
            service.client.sessions.delete(session_id)
        with self._lock:
            report.calls += 1
            report.files += wrote
            report.lost_files += lost
            report.duplicated_executions += call.executes and service.executions.pop(tag, 0) > 1
            report.duplicated_sessions += len(created) > 1
            if raised is None:
                if value != tag:
                    report.crossed.append(f"{call.name} {tag}: {value!r}")
            elif isinstance(raised, BuntimeError) or (
                call.raw and isinstance(raised, (ValueError, TypeError))
            ):
                report.errors += 1
                self.outcomes[type(raised).__name__] += 1
            else:
                report.unexpected.append(f"{call.name} {tag}: {raised!r}")


def _size() -> float:
    """Return the resident memory of this process in megabytes; 0 if the system does not show it."""
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[1]) * _PAGE_SIZE / 1e6 if status.exists() else 0.0


def main() -> int:
    """Run and print the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fault-rate", type=float, default=0.05)
    options = parser.parse_args()
    run = LongRun(options.calls, options.seed, options.fault_rate)
    for name, value in attrs.asdict(run.run()).items():
        print(f"{name}: {value}")  # noqa: T201 - a command line program
    print(f"errors by class: {dict(run.outcomes)}")  # noqa: T201 - as above
    return 1 if run.report.failures() else 0


if __name__ == "__main__":
    raise SystemExit(main())
