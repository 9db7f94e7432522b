"""A secret stayed in a recording if its call began while an earlier response was being written."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from buntime import Buntime, CassetteError
from buntime.cassette.secrets.redactor import Redactor
from buntime.transport import FunctionTransport, RecordingTransport, Request, Response

SECRET = "hunt3r2xyz"


def respond(_: Request) -> Response:
    """Respond to any execution with an output that contains the secret."""
    result = {"stdout": SECRET, "stderr": "", "exitCode": 0}
    return Response(200, {"Content-Type": "application/json"}, [json.dumps(result).encode()])


def test_a_secret_learned_while_a_response_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither interaction contains the secret, whichever is written first; the recording is blocked."""
    path = tmp_path / "cassette.json"
    client = Buntime("btk_123", transport=RecordingTransport(path, FunctionTransport(respond)))
    learned = threading.Event()
    redact_line, learn_request = Redactor.redact_line, Redactor.learn_request
    other = threading.Thread(
        target=lambda: client.execute(session_id="ses_1", code="2", env={"DB_PASSWORD": SECRET})
    )

    def redact_slowly(redactor: Redactor, *arguments: Any, **options: Any) -> Any:
        redacted = redact_line(redactor, *arguments, **options)
        if other.ident is None:
            other.start()
            learned.wait(0.5)
        return redacted

    def learn(redactor: Redactor, request: Request, serialized: Any) -> bool:
        has_named = learn_request(redactor, request, serialized)
        if b"DB_PASSWORD" in request.content:
            learned.set()
        return has_named

    monkeypatch.setattr(Redactor, "redact_line", redact_slowly)
    monkeypatch.setattr(Redactor, "learn_request", learn)

    client.execute(session_id="ses_1", code="1")
    other.join()
    assert learned.is_set()
    assert SECRET not in path.with_name("cassette.json.part").read_text()
    with pytest.raises(CassetteError, match="«env:DB_PASSWORD» before a request does"):
        client.close()
