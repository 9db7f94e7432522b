"""The check of a cassette reported the value of a field whose name was a hidden secret, as if it were one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from buntime.cassette.file import load
from buntime.cassette.journal import recover
from buntime.cassette.secrets.redactor import secrets_in
from buntime.transport import FunctionTransport, RecordingTransport, Request, Response

SECRET = "planted-value-of-the-suite"
ID = "ses_aB3dE6gH9jK2"


def test_the_value_of_a_field_that_is_named_by_a_secret_is_public(tmp_path: Path) -> None:
    """The name of a placeholder is no sign of a secret; an id in the value is numbered in a recovered one."""
    path, part = tmp_path / "x.json", tmp_path / "y.json.part"

    def handler(request: Request) -> Response:
        value = {"sessionId": ID} if "create" in request.path else {SECRET: {"base64": ID}}
        return Response(200, {"Content-Type": "application/json"}, [json.dumps(value).encode()])

    transport = RecordingTransport(path, FunctionTransport(handler))
    body = json.dumps({"code": "1", "sessionId": ID, "env": {"TOKEN": SECRET}}).encode()
    for request in (Request("POST", "/sessions/create"), Request("POST", "/execute", body=body)):
        with transport.send(request) as response:
            list(response.chunks)
    shutil.copy(f"{path}.part", part)
    transport.close()
    assert [] == [*secrets_in(load(path))]
    assert load(path).interactions == recover(part, tmp_path / "y.json").interactions
