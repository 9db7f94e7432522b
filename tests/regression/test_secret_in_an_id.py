"""A secret in an id, such as the host of a preview, blocked a recording or was replayed as a placeholder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Callable
from urllib.parse import urlsplit

import pytest

from buntime import Buntime, CassetteError, Session
from buntime.transport import FunctionTransport, Request, Response
from tests.support.cassettes import record, replay

_HOST = "ses-aB3dE6gH9jK2.preview.example.com"


def _service(request: Request) -> Response:
    """Return a new session with a preview, or the variable of an execution as its output."""
    body = json.loads(request.content)
    created = {"sessionId": "ses_aB3dE6gH9jK2", "previewUrl": f"https://{_HOST}"}
    executed = {"stdout": body.get("env", {}).get("MY_TOKEN", ""), "stderr": "", "exitCode": 0}
    result = created if request.path == "/sessions/create" else executed
    return Response(200, {"Content-Type": "application/json"}, [json.dumps(result).encode()])


@pytest.mark.parametrize(
    "secret_of",
    [lambda session: urlsplit(session.preview_url).netloc, lambda _: "gH9j"],
    ids=["host", "letters"],
)
def test_a_secret_that_is_part_of_an_id_is_recorded(
    tmp_path: Path, secret_of: Callable[[Session], str]
) -> None:
    """The number of the id takes its place, so replay need not know it."""

    def program(client: Buntime) -> tuple[str, str]:
        session = client.sessions.create()
        secret = secret_of(session)
        return secret, session.execute("1", env={"MY_TOKEN": secret}).stdout

    path = tmp_path / "x.json"
    secret, output = record(path, program, FunctionTransport(_service))
    assert secret == output
    assert secret not in path.read_text()
    assert "https://ses-1.preview.invalid" in path.read_text()
    secret, output = replay(path, program)
    assert secret == output


def test_a_secret_that_requests_show_in_an_id_alone_is_blocked(tmp_path: Path) -> None:
    """Replay would return its placeholder, as the requests have the number of the id."""

    def service(request: Request) -> Response:
        response = _service(request)
        if b"printed" not in (request.content or b""):
            return response
        return Response(200, response.headers, [b'{"stdout": "gH9j", "stderr": "", "exitCode": 0}'])

    def program(client: Buntime) -> None:
        session = client.sessions.create()
        session.execute("'printed'")
        session.execute("1", env={"MY_TOKEN": "gH9j"})

    with pytest.raises(CassetteError) as caught:
        record(tmp_path / "x.json", program, FunctionTransport(service))
    assert "interaction 2, POST /execute" in str(caught.value)
    assert "interaction 1" not in str(caught.value)
