"""A recovered recording had the placeholder of a secret in the address of a preview, and not its number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Callable
from urllib.parse import urlsplit

import pytest

from buntime import Buntime
from buntime.cassette.journal import recover
from buntime.transport import FunctionTransport, RecordingTransport, Request, Response

_HOST = "ses-aB3dE6gH9jK2.preview.example.com"


def _service(request: Request) -> Response:
    """Return a new session with a preview, or the result of an execution."""
    created = {"sessionId": "ses_aB3dE6gH9jK2", "previewUrl": f"https://{_HOST}"}
    executed = {"stdout": f"https://{_HOST}/a", "stderr": "", "exitCode": 0}
    result = created if request.path == "/sessions/create" else executed
    return Response(200, {"Content-Type": "application/json"}, [json.dumps(result).encode()])


@pytest.mark.parametrize(
    "secret_of", [lambda url: urlsplit(url).netloc, lambda _: "gH9j"], ids=["host", "letters"]
)
def test_the_recovered_cassette_is_that_of_the_whole_recording(
    secret_of: Callable[[str], str], tmp_path: Path
) -> None:
    """The secret is a part of the address."""
    path, part = tmp_path / "x.json", tmp_path / "killed.part"
    client = Buntime("btk_123", transport=RecordingTransport(path, FunctionTransport(_service)))
    session = client.sessions.create()
    session.execute("1", env={"MY_TOKEN": secret_of(session.preview_url or "")})
    part.write_bytes((tmp_path / "x.json.part").read_bytes())
    client.close()
    recover(part, tmp_path / "recovered.json")
    assert path.read_bytes() == (tmp_path / "recovered.json").read_bytes()
