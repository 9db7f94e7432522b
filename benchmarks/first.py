"""From a fresh process to the first answer: imports, making a client, connecting, one call."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack

from benchmarks.answers import SESSION
from benchmarks.calls import BODY, HEADERS
from benchmarks.measuring import Effort, Maker, Round, compared
from benchmarks.peers import peer
from benchmarks.results import Table
from benchmarks.server import ROOT, loopback

_AROUND = """
import sys, time
url, start = sys.argv[1], time.perf_counter()
{program}
seconds = time.perf_counter() - start
assert output == "Sum: 15\\n", output
print(seconds)
"""
_PROGRAMS = {
    "buntime": f"""
from buntime import Buntime
output = Buntime("btk_123", base_url=url).execute(session_id={SESSION!r}, code={BODY["code"]!r}).stdout
""",
    "http.client": f"""
import http.client, json
connection = http.client.HTTPConnection(url.removeprefix("http://"))
connection.request("POST", "/execute", json.dumps({BODY!r}), {HEADERS!r})
output = json.loads(connection.getresponse().read())["stdout"]
""",
    "urllib3": f"""
import json, urllib3
pool = urllib3.PoolManager(headers={HEADERS!r})
answer = pool.request("POST", url + "/execute", body=json.dumps({BODY!r}))
output = json.loads(answer.data)["stdout"]
""",
    "httpx": f"""
import httpx
output = httpx.Client().post(url + "/execute", json={BODY!r}, headers={HEADERS!r}).json()["stdout"]
""",
    "requests": f"""
import requests
output = requests.Session().post(url + "/execute", json={BODY!r}, headers={HEADERS!r}).json()["stdout"]
""",
    "runloop_api_client": """
from runloop_api_client import RunloopSDK
devbox = RunloopSDK(bearer_token="key", base_url=url).devbox.create()
output = devbox.cmd.exec("echo 'Sum: 15'").stdout()
""",
    "e2b": """
from e2b import Sandbox
sandbox = Sandbox.create(api_key="e2b_0", api_url=url, sandbox_url=url, http_version="1.1")
output = sandbox.commands.run("echo 'Sum: 15'").stdout
""",
}
_ROUNDS = 21
_MILLISECONDS = 1e3


def measure(effort: Effort) -> list[Table]:
    """Measure the first call of a fresh process, in processes that take turns."""
    with loopback() as url:
        contenders = {name: _maker(name, program, url) for name, program in _PROGRAMS.items()}
        rows = compared(contenders, effort.times(_ROUNDS), scale=_MILLISECONDS)
    title = "a fresh process: importing, making a client, connecting, one call"
    return [Table("first call", title, "ms", "requests", rows)]


def _maker(name: str, program: str, url: str) -> Maker:
    def make(_stack: ExitStack) -> Round:
        peer(name)
        return lambda: _run(_AROUND.format(program=program), url)

    return make


def _run(program: str, url: str) -> float:
    command = [sys.executable, "-c", program, url]
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True)
    return float(done.stdout)
