"""A running ``buntime serve`` for tests."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import attrs


@attrs.frozen
class ServedProcess:
    """The URL and the pid of a server."""

    url: str
    pid: int


@contextmanager
def buntime_serve(*arguments: str, environment: Mapping[str, str] | None = None) -> Iterator[ServedProcess]:
    """Run ``buntime serve`` in a separate process, on a free port.

    The process is ended with SIGTERM and must then exit with code 0.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "buntime", "serve", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    assert process.stdout is not None
    with process.stdout:
        try:
            line = process.stdout.readline()
            match = re.search(r"http://\S+", line)
            assert match, f"buntime serve did not start: {line!r}"
            yield ServedProcess(match.group(), process.pid)
        finally:
            process.terminate()
            code = process.wait(30)
    assert code == 0
