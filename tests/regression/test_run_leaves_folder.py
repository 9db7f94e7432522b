"""``buntime run --local`` left its session's folder behind after SIGTERM or SIGHUP."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

_SLEEPS = "console.log('runs'); await new Promise(() => setInterval(() => {}, 1000))"


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)]
)
@pytest.mark.parametrize("isolation", ["none", "required"])
def test_a_signal_ends_the_session(
    number: int, code: int, isolation: str, temporary_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command ends silently, its folder is removed, and the exit code corresponds to the signal."""
    monkeypatch.setenv("BUNTIME_ISOLATION", isolation)
    command = [sys.executable, "-m", "buntime", "run", "--local", "-e", _SLEEPS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert "runs\n" == process.stdout.readline()
        assert 1 == len(list(temporary_folder.glob("buntime-*/ses_*")))
        process.send_signal(number)
        assert (code, "") == (process.wait(60), process.stderr.read())
    assert [] == list(temporary_folder.glob("buntime-*"))


def test_an_ignored_hangup_has_no_effect() -> None:
    """An ignored SIGHUP has no effect, as under nohup."""
    code = "process.stdin; console.log('runs'); await Bun.sleep(300); console.log('done')"
    inner = [sys.executable, "-m", "buntime", "run", "--local", "-e", code]
    command = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *inner]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        with closing(process.stdout) as output:
            assert "runs\n" == output.readline()
            process.send_signal(signal.SIGHUP)
            assert ("done\n", 0) == (output.read(), process.wait(60))
