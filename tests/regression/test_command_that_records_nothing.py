"""A mismatch showed a command that recorded nothing, as the mode of the test or of the block won over it."""

from __future__ import annotations

from pathlib import Path

import pytest

from buntime import CassetteError
from buntime.testing import cassette
from tests.support.cassettes import fake
from tests.unit.pytest_plugin.conftest import Project, project

pytest_plugins = ["pytester"]

__all__ = ["project"]

TEST = """
import pytest
@pytest.mark.buntime(mode="{mode}")
def test_{mode}(buntime_session):
    buntime_session.execute("{code}")
"""


def test_mode_of_a_marker(project: Project) -> None:
    """The message names the file to delete, or the mode to change."""
    project.write(TEST.format(mode="once", code="1"), "test_once.py")
    project.run().assert_outcomes(passed=1)
    (file,) = project.cassettes()
    project.write(TEST.format(mode="once", code="11"), "test_once.py")
    project.write(TEST.format(mode="replay", code="1"), "test_replay.py")
    result = project.record()
    result.assert_outcomes(failed=1, errors=1)
    result.stdout.fnmatch_lines_random(
        [
            f"*To record it again: delete *{file} and run this again, or change mode='once' of the marker *",
            "*To record it: change mode='replay' of the marker buntime to 'record', and run this again",
        ]
    )


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("once", "delete {path} and run this again, or change mode='once' of cassette()"),
        ("replay", "change mode='replay' of cassette() to 'record', and run this again"),
    ],
)
def test_mode_of_a_block(tmp_path: Path, mode: str, expected: str) -> None:
    """So does the message of a block."""
    path = tmp_path / "m.json"
    with cassette(path, mode="record", source=fake) as client:
        client.sessions.create()
    with pytest.raises(CassetteError) as caught, cassette(path, mode=mode, source=fake) as client:
        client.sessions.create(ttl=3600)
    assert f"To record it again: {expected.format(path=path)}" in str(caught.value)
