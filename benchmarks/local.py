"""An execution on this machine, beside Bun started by hand."""

from __future__ import annotations

import os
import subprocess
from contextlib import ExitStack
from tempfile import TemporaryDirectory

from benchmarks.measuring import Effort, Maker, Round, compared, timed
from benchmarks.results import Table
from buntime import Buntime
from buntime.service.machine.sandbox import find_bun
from buntime.transport import LocalTransport

_CODE = "console.log('Sum: ' + (7 + 8))"
_ROUNDS = 61
_MILLISECONDS = 1e3


def measure(effort: Effort) -> list[Table]:
    """Measure one short execution, with and without a sandbox."""
    contenders: dict[str, Maker] = {
        "subprocess.run([bun, '-'])": _plain,
        "buntime, isolation='none'": lambda stack: _local(stack, "none"),
        "buntime, isolated": lambda stack: _local(stack, "required"),
    }
    rows = compared(contenders, effort.times(_ROUNDS), scale=_MILLISECONDS)
    return [Table("local", "a short execution on this machine", "ms", "subprocess.run([bun, '-'])", rows)]


def _plain(stack: ExitStack) -> Round:
    folder = stack.enter_context(TemporaryDirectory())
    command = [find_bun(None, os.environ), "-"]

    def run() -> None:
        subprocess.run(command, input=_CODE, cwd=folder, capture_output=True, text=True, check=True)

    return lambda: timed(run, 1)


def _local(stack: ExitStack, isolation: str) -> Round:
    client = stack.enter_context(Buntime(transport=LocalTransport(isolation=isolation)))
    session = stack.enter_context(client.sessions.create())
    return lambda: timed(lambda: session.execute(_CODE, check=True), 1)
