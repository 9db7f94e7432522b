"""Ending tagged processes from outside their session."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from buntime.service.machine.orphans import FIRST_TAG, kill_tagged

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="tags are read in /proc")

TAG = FIRST_TAG + 12_345


@contextmanager
def _sleeping(limits: str) -> Iterator[subprocess.Popen[str]]:
    command = f"{limits} echo ready; exec sleep 1000"
    with subprocess.Popen(["/bin/sh", "-c", command], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def test_only_tagged_processes_end() -> None:
    """A process with a tag in the range ends; those outside the range and without a tag continue."""
    with ExitStack() as stack:
        tagged, above, below = (
            stack.enter_context(_sleeping(f"ulimit -m {tag};")) for tag in (TAG, TAG + 1, TAG - 1)
        )
        untagged = stack.enter_context(_sleeping(""))

        kill_tagged(TAG - 1, TAG)

        assert tagged.wait(10) == -9
        assert [above.poll(), below.poll(), untagged.poll()] == [None, None, None]


@pytest.mark.parametrize("above", [0, -1, FIRST_TAG - 1])
def test_a_range_of_untagged_processes_is_rejected(above: int) -> None:
    """A range that would include untagged processes is an error, and ends nothing."""
    with pytest.raises(ValueError, match="tags begin at"):
        kill_tagged(above, above + 1)
