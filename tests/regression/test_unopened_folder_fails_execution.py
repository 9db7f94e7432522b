"""An execution in a devbox raised an error of a missing file if it left a folder that cannot be opened."""

from __future__ import annotations

import sys

import pytest

from buntime.runloop import RunloopSDK
from buntime.transport import LocalTransport

# Bun lists a name that is not UTF-8, and cannot open it: like a folder that is deleted after it was listed.
MAKES = "mkdir $(printf 'a\\377b'); echo 1 > made.txt"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="devboxes run on Linux and macOS")


def test_the_result_has_the_files_of_the_other_folders() -> None:
    """It does not matter whether the folder was there before."""
    transport = LocalTransport()
    with RunloopSDK(bearer_token="key", transport=transport) as runloop, runloop.devbox.create() as devbox:
        session = devbox.as_session()
        for _ in range(2):
            result = session.execute(command=f"{MAKES} 2>/dev/null", check=True)
            assert ("made.txt",) == result.files_written
        assert 1 == session.info().files_count
