"""Moving a missing file over an existing one was reported as done if the first response was lost."""

from __future__ import annotations

import pytest

from buntime import Buntime, SessionFileNotFoundError
from buntime.transport import FakeTransport


def test_a_missing_file_does_not_replace_a_file() -> None:
    """Whether the existing file is the moved one is unknown, so the caller has to look."""
    fake = FakeTransport()
    session = Buntime(transport=fake, retry_delay=0).sessions.create()
    session.files.write("target", "old")
    fake.fail_next("dropped", call="POST /execute")
    with pytest.raises(SessionFileNotFoundError, match="Compare 'target' with the file") as caught:
        session.files.move("missing", "target", overwrite=True)
    assert (True, 2) == (caught.value.maybe_executed, caught.value.attempts)
    assert "old" == session.files.read("target")


def test_a_file_moved_to_a_new_path() -> None:
    """It is there after a lost response, and that is no error."""
    fake = FakeTransport()
    session = Buntime(transport=fake, retry_delay=0).sessions.create()
    session.files.write("source", "new")
    fake.fail_next("dropped", call="POST /execute")
    session.files.move("source", "target")
    assert "new" == session.files.read("target")
