"""Local sessions survive the exit of forked children."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.forks import needs_fork

_PROGRAM = """
import os, signal, sys, tempfile, threading, urllib.request
from buntime import Buntime
from buntime.transport import LocalTransport

transport = LocalTransport(isolation=sys.argv[1])
client = Buntime(transport=transport, delete_on_close=True)
session = client.sessions.create()
session.files.write("a.txt", "a")
# Without isolation, port 8080 is shared with the machine and may be in use.
isolated = sys.argv[1] == "required"
server = "Bun.serve({ port: 8080, fetch: () => new Response('up') })"
process = session.start(server if isolated else "setInterval(() => {}, 1000)")
def serves():
    return not isolated or urllib.request.urlopen(session.preview_url, timeout=30).read() == b"up"

if isolated:
    session.wait_for_port(8080)
assert serves()
awake = session.stay_awake(interval=0.05)
awake.__enter__()

results = []
def run():
    results.append(session.execute("while (!(await Bun.file('go').exists())) await Bun.sleep(5)").exit_code)

running = threading.Thread(target=run)
running.start()
codes = []
for ends in ("sys.exit", "os._exit", "raises"):
    child = os.fork()
    if not child:
        signal.alarm(60)
        sys.stderr = open(os.devnull, "w")
        with process, session, client:
            awake.__exit__(None, None, None)
            transport.close()
        if ends == "os._exit":
            os._exit(0)
        if ends == "raises":
            raise ZeroDivisionError
        sys.exit(0)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(codes, process.running(), serves(), session.files.read("a.txt"), awake.error)
session.files.write("go", "")
running.join()
print(results, len(os.listdir(tempfile.gettempdir())) > 0)
awake.__exit__(None, None, None)
client.close()
print(os.listdir(tempfile.gettempdir()))
"""


@needs_fork
@pytest.mark.parametrize("isolation", ["none", "required"])
def test_the_exit_of_a_child_ends_nothing(isolation: str, tmp_path: Path) -> None:
    """Sandbox, processes, files and executions survive, however the child exits and leaves its blocks."""
    if isolation == "required" and sys.platform != "linux":
        pytest.skip("sandboxes need Linux")
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", _PROGRAM, isolation],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ("[0, 0, 1] True True a None\n[0] True\n[]\n", "") == (done.stdout, done.stderr)
