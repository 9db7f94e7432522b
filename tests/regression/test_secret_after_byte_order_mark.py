"""A secret in JSON was written to a cassette if the JSON began with a byte order mark."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from buntime import Buntime
from buntime.transport import FunctionTransport, Response
from tests.support.cassettes import record

_BODY = json.dumps({"data": {"token": "hunt3r2xyz", "name": "Ada"}})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_value_named_like_a_secret_is_redacted(tmp_path: Path, encoding: str) -> None:
    """The value is redacted in every encoding that JSON permits."""
    headers = [("Content-Type", "application/json")]
    inner = FunctionTransport(lambda _: Response(200, headers, [_BODY.encode(encoding)]))

    def program(client: Buntime) -> None:
        assert "Ada" in client.request("GET", "/keys").content.decode(encoding)

    record(tmp_path / "c.json", program, inner)
    text = (tmp_path / "c.json").read_text(encoding="utf-8")
    assert "hunt3r2xyz" not in text
    assert "Ada" in text
