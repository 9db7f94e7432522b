"""Reading the workspace itself was refused with a message that began with a blank: `` is a directory``."""

from __future__ import annotations

import json

import pytest

from tests.support.samples import World


@pytest.mark.parametrize("path", ["", ".", "/workspace"])
def test_the_message_names_what_it_is_about(path: str) -> None:
    """As the caller wrote it, or by its full name where the caller wrote nothing."""
    response = World().send("GET /files/read", sessionId="ses_1", path=path)

    assert 400 == response.status
    assert f"{path or '/workspace'} is a directory" == json.loads(response.read())["error"]["message"]
