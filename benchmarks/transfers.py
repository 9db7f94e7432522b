"""A large file up and down, over ``buntime serve``: speed, and the memory of the client."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measuring import Effort
from benchmarks.results import Row, Table
from benchmarks.server import ROOT, loopback

_LABELS = {"buntime": "buntime", "requests": "requests, a bare body"}
_SIZE, _ROUNDS = 200 * 2**20, 5
_MEGABYTE = 1e6

_AROUND = """
import json, sys, time
from pathlib import Path
from benchmarks.memory import peak
url, folder, size = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
up, down = folder / "up.bin", folder / "down.bin"
{program}
figures = []
for transfer in (upload, download):
    before, start = peak(), time.perf_counter()
    transfer()
    figures += [size / (time.perf_counter() - start), peak() - before]
assert down.stat().st_size == size
finish()
print(json.dumps(figures))
"""
_PROGRAMS = {
    "buntime": """
from buntime import Buntime
session = Buntime("btk_key", base_url=url).sessions.create()
session.files.write("small", b"\\xff")
session.files.read_bytes("small")
def upload(): session.files.upload(up, "large.bin")
def download(): session.files.download("large.bin", down)
finish = session.delete
""",
    "requests": """
import requests
session = requests.Session()
session.post(url + "/upload", data=b"\\xff")
def upload(): session.post(url + "/upload", data=up.open("rb"))
def download():
    with session.get(f"{url}/zeros/{size}", stream=True) as answer, down.open("wb") as file:
        for piece in answer.iter_content(1 << 20): file.write(piece)
finish = session.close
""",
}
_TABLES = (
    ("upload", "MB/s", _MEGABYTE, True),
    ("upload, memory", "MB", 2**20, False),
    ("download", "MB/s", _MEGABYTE, True),
    ("download, memory", "MB", 2**20, False),
)


def measure(effort: Effort) -> list[Table]:
    """Measure a file into a session and out of it, beside a bare HTTP body of the same size."""
    size = effort.of(_SIZE)
    with TemporaryDirectory() as folder, _serving() as served, loopback() as url:
        (Path(folder) / "up.bin").write_bytes(
            os.urandom(1 << 20) * (size >> 20) + os.urandom(size % (1 << 20))
        )
        urls = {"buntime": served, "requests": url}
        found: dict[str, list[list[float]]] = {name: [] for name in urls}
        for _ in range(effort.times(_ROUNDS)):
            for name, where in urls.items():
                found[name].append(_run(_PROGRAMS[name], where, folder, size))
    return [_table(number, size, found) for number in range(len(_TABLES))]


def _table(number: int, size: int, found: Mapping[str, Sequence[Sequence[float]]]) -> Table:
    name, unit, scale, more = _TABLES[number]
    what = "growth of the client's peak memory" if "memory" in name else "speed"
    rows = tuple(
        Row(_LABELS[one], tuple(figures[number] / scale for figures in rounds))
        for one, rounds in found.items()
    )
    title = f"{name.partition(',')[0]} of {size / 2**20:,.1f} MB: {what}"
    return Table(name, title, unit, _LABELS["requests"] if more else "", rows, more_is_better=more)


def _run(program: str, url: str, folder: str, size: int) -> list[float]:
    command = [sys.executable, "-c", _AROUND.format(program=program), url, folder, str(size)]
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True)
    figures: list[float] = json.loads(done.stdout)
    return figures


@contextmanager
def _serving() -> Iterator[str]:
    """Run ``buntime serve``, and give its URL."""
    command = [sys.executable, "-m", "buntime", "serve", "--port", "0", "--api-key", "btk_key"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            found = re.search(r"http://\S+", line)
            if found is None:
                raise RuntimeError(f"buntime serve did not start: {line!r}")
            yield found.group()
        finally:
            process.terminate()
