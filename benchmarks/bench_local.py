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
from benchmarks.measure import Action, Effort, compare, timing
from benchmarks.tables import Table
from buntime import Buntime
from buntime.service.machine.find import find_bun
from buntime.transport import LocalTransport

_ROUNDS = 61
_PLAIN = "subprocess.run([bun, '-'])"


def measure(effort: Effort, _url: str) -> list[Table]:
    """Measure one short execution, with and without a sandbox."""
    contenders = {
        _PLAIN: timing(_subprocess()),
        "buntime, isolation='none'": timing(_buntime("none")),
        "buntime, isolated": timing(_buntime("required")),
    }
    table = Table("local", "a short execution on this machine", "ms", _PLAIN)
    return [compare(table, contenders, effort.scale_rounds(_ROUNDS))]


@contextmanager
def _subprocess() -> Iterator[Action]:
    command = [find_bun(None, os.environ), "-"]
    with TemporaryDirectory() as folder:
        yield partial(
            subprocess.run, command, input=CODE.encode(), cwd=folder, capture_output=True, check=True
        )


@contextmanager
def _buntime(isolation: Any) -> Iterator[Action]:
    with Buntime(transport=LocalTransport(isolation=isolation)) as client:
        yield partial(client.sessions.create().execute, CODE, check=True)
