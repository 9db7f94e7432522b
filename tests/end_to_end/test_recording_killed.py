"""A recording survives being killed at any moment."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from buntime.cassette.file import load
from tests.support import effort

MOMENTS = effort.examples(25)

PROGRAM = """
import os, sys
from buntime import Buntime
from buntime.transport import FakeTransport, RecordingTransport

path = sys.argv[1]

def record():
    fake = FakeTransport()
    fake.on_execute(lambda _: True, handler=lambda run: run.code * 20)
    with Buntime("btk_of_the_killed", transport=RecordingTransport(path, fake)) as client:
        session = client.sessions.create()
        os.write(1, b"c\\n")
        for number in range(int(sys.argv[2])):
            session.execute(f"call {number}")
            # The pipe holds a few such lines: the program cannot end before the line that it is killed at.
            os.write(1, b"%d%s\\n" % (number, b" " * 16384))
    os.write(1, b"closed\\n")

for line in sys.stdin:
    child = os.fork()
    if not child:
        record()
        os._exit(0)
    os.write(1, b"pid %d\\n" % child)
    os.waitpid(child, 0)
    os.write(1, b"over\\n")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the recordings are forks of one process")
def test_a_killed_recording_loses_nothing(tmp_path: Path) -> None:
    """The part file holds every finished call, or the cassette holds all; neither is ever damaged."""
    path, part = tmp_path / "x.json", tmp_path / "x.json.part"
    old = json.dumps({"buntime_cassette": 1, "changed": "2020-02-20", "interactions": []})
    chance = random.Random(1)
    killed_while_recording = 0
    command = [sys.executable, "-c", PROGRAM, str(path), "150"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(MOMENTS):
            path.write_text(old)
            process.stdin.write("go\n")
            process.stdin.flush()
            lines = [""]
            pid = 0
            kill_at = chance.randrange(1, 170)
            while lines[-1] != "over":
                if pid and len(lines) == kill_at:
                    # The kill hits the program at a random position of its next step.
                    sum(range(chance.randrange(20_000)))
                    os.kill(pid, signal.SIGKILL)
                lines.append(process.stdout.readline().strip())
                if lines[-1].startswith("pid"):
                    pid = int(lines[-1].split()[1])
            calls = [line for line in lines if line == "c" or line.isdigit()]
            if path.read_text() == old:
                killed_while_recording += 1
                recorded = [item.call for item in load(part).interactions] if calls else []
                assert len(calls) <= len(recorded) <= len(calls) + 1 or not calls
                assert recorded == ["POST /sessions/create", *["POST /execute"] * 200][: len(recorded)]
            else:
                assert 151 == len(load(path).interactions)
        process.stdin.close()
    assert killed_while_recording > MOMENTS / 2
