"""An execution on this machine, compared with starting Bun directly."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.clients import CODE
from benchmarks.measure import Effort, Sampler, compare, timed
from benchmarks.tables import Table
from buntime import Buntime
from buntime.service.machine.find import find_bun
from buntime.transport import LocalTransport

_ROUNDS = 61
_PLAIN = "subprocess.run([bun, '-'])"


def measure(effort: Effort) -> list[Table]:
    """Measure one short execution, with and without a sandbox."""
    contenders = {
        _PLAIN: _subprocess(),
        "buntime, isolation='none'": _buntime("none"),
        "buntime, isolated": _buntime("required"),
    }
    table = Table("local", "a short execution on this machine", "ms", _PLAIN)
    return [compare(table, contenders, effort.scale_rounds(_ROUNDS))]


@contextmanager
def _subprocess() -> Iterator[Sampler]:
    command = [find_bun(None, os.environ), "-"]
    with TemporaryDirectory() as folder:
        run = partial(
            subprocess.run, command, input=CODE.encode(), cwd=folder, capture_output=True, check=True
        )
        yield lambda: timed(run)


@contextmanager
def _buntime(isolation: Any) -> Iterator[Sampler]:
    with (
        Buntime(transport=LocalTransport(isolation=isolation)) as client,
        client.sessions.create() as session,
    ):
        yield lambda: timed(lambda: session.execute(CODE, check=True))
