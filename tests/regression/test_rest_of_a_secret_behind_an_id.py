"""Of a secret that began in a preview address, the text behind the address was in the cassette."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from buntime import Buntime
from buntime.transport import FunctionTransport, Request, Response
from tests.support.cassettes import record, replay

_ID, _HOST = "ses_aB3dE6gH9jK2", "ses-aB3dE6gH9jK2.preview.example.com"


def _service(request: Request) -> Response:
    """Return a new session with a preview, or what a program prints with its variable."""
    body = json.loads(request.content)
    created = {"sessionId": _ID, "previewUrl": f"https://{_HOST}"}
    printed = f"{body.get('code')}{body.get('env', {}).get('TARGET')}"
    executed = {"stdout": printed, "stderr": "", "exitCode": 0}
    result = created if request.path == "/sessions/create" else executed
    return Response(200, {"Content-Type": "application/json"}, [json.dumps(result).encode()])


@pytest.mark.parametrize("before", ["https://", "ses_"])
def test_a_secret_that_begins_in_an_id_is_hidden_as_a_whole(before: str, tmp_path: Path) -> None:
    """A variable with the host of a preview and a token is printed as an address."""

    def program(client: Buntime) -> tuple[str, str]:
        session = client.sessions.create()
        known = str(session.preview_url if before == "https://" else session.id)
        target = f"{known.removeprefix(before)}/?token=planted-token"
        return f"{before}{target}", session.execute(before, env={"TARGET": target}).stdout

    path = tmp_path / "x.json"
    expected, printed = record(path, program, FunctionTransport(_service))
    assert expected == printed
    assert "planted" not in path.read_text()
    expected, printed = replay(path, program)
    assert expected == printed
