"""A large file up and down over ``buntime serve``: the speed, and the memory of the client."""

from __future__ import annotations

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measure import Effort, run_program
from benchmarks.server import run_server
from benchmarks.tables import Row, Table

_SIZE, _ROUNDS = 200 * 2**20, 5
_SERVE = ("buntime", "serve", "--port", "0", "--api-key", "btk_key")
_REFERENCE = "requests, a bare body"
_TIMED = """
import json, sys, time
from pathlib import Path
from benchmarks.memory import memory
url, folder, size = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
up, down = folder / "up.bin", folder / "down.bin"
{program}
figures = []
for transfer in (upload, download):
    before, start = memory("VmHWM"), time.perf_counter()
    transfer()
    figures += [size / (time.perf_counter() - start) / 1e6, (memory("VmHWM") - before) / 1024]
assert down.stat().st_size == size
close()
print(json.dumps(figures))
"""
_BUNTIME = """
from buntime import Buntime
session = Buntime("btk_key", base_url=url).sessions.create()
session.files.write("small", b"\\xff")
session.files.read_bytes("small")
def upload(): session.files.upload(up, "large.bin")
def download(): session.files.download("large.bin", down)
close = session.delete
"""
_REQUESTS = """
import requests
session = requests.Session()
session.post(url + "/upload", data=b"\\xff")
def upload(): session.post(url + "/upload", data=up.open("rb"))
def download():
    with session.get(f"{url}/zeros/{size}", stream=True) as response, down.open("wb") as file:
        for chunk in response.iter_content(1 << 20): file.write(chunk)
close = session.close
"""


def measure(effort: Effort, url: str) -> list[Table]:
    """Measure a file into a session and back, beside a plain HTTP body of the same size."""
    size = effort.scale(_SIZE)
    with TemporaryDirectory() as folder, run_server(*_SERVE) as served:
        content = os.urandom(1 << 20) * (size >> 20) + os.urandom(size % (1 << 20))
        Path(folder, "up.bin").write_bytes(content)
        runs: dict[str, list[list[float]]] = {"buntime": [], _REFERENCE: []}
        for _ in range(effort.scale_rounds(_ROUNDS) or 1):
            for name, program, base in (("buntime", _BUNTIME, served), (_REFERENCE, _REQUESTS, url)):
                output = run_program(_TIMED.format(program=program), base, folder, str(size))
                runs[name].append(json.loads(output))
    tables = []
    for index, name in enumerate(("upload", "upload, memory", "download", "download, memory")):
        is_speed = "memory" not in name
        text = "speed" if is_speed else "growth of the client's peak memory"
        title = f"{name.partition(',')[0]} of {size / 2**20:,.1f} MB: {text}"
        rows = tuple(Row(label, tuple(run[index] for run in group)) for label, group in runs.items())
        unit, reference = ("MB/s", _REFERENCE) if is_speed else ("MB", "")
        tables.append(Table(name, title, unit, reference, rows, more_is_better=is_speed))
    return tables
