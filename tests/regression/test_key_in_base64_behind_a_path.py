"""A well-known key in base64 directly behind other letters, as in a path, was recorded."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from buntime import Buntime, CassetteError
from buntime.transport import FakeTransport, RecordingTransport
from tests.support.cases import in_one_test

KEY = "ghp_" + "a1B2c3D4e5" * 4


@in_one_test("before", ["", "/", "/a", "/keys/", "keys/v2/", "x=", "\\n", "\\\\n", "://host/"])
def test_a_key_in_base64_is_blocked_wherever_its_groups_of_four_begin(before: str, tmp_path: Path) -> None:
    """In the output of a program, and in its code."""
    text = f"{before}{base64.b64encode(f'token={KEY};'.encode()).decode()}"
    for code, output in ((f"// {text}", ""), ("1", text)):
        path = tmp_path / "x.json"
        fake = FakeTransport()
        fake.on_execute(code, stdout=output)
        client = Buntime("btk_123", transport=RecordingTransport(path, fake))
        client.sessions.create().execute(code)
        with pytest.raises(CassetteError, match=r"GitHub token .*in base64"):
            client.close()
        assert not path.exists()
