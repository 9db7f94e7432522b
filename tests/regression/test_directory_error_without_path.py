"""Reading the workspace itself raised a message that began with a blank: `` is a directory``."""

from __future__ import annotations

import json

import pytest

from tests.support.samples import SampleService


@pytest.mark.parametrize("path", ["", ".", "/workspace"])
def test_the_message_contains_the_path(path: str) -> None:
    """The message contains the path as the caller wrote it, or ``/workspace`` if the path is empty."""
    response = SampleService().send("GET /files/read", sessionId="ses_1", path=path)

    assert 400 == response.status
    assert f"{path or '/workspace'} is a directory" == json.loads(response.read())["error"]["message"]
