"""An id that a program had before it listed it was numbered from the beginning, so replay knew no such id."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from buntime.transport import FunctionTransport, RecordingTransport, ReplayTransport, Request, Response

_RUN = {"id": "run_aB3dE6gH9jK2", "devbox_id": "dbx_cD4eF5gH6iJ7", "state": "running"}


def _service(request: Request) -> Response:
    value = {"runs": [_RUN, {**_RUN, "id": "run_zZ9"}]} if request.path == "/v1/scenarios/runs" else _RUN
    return Response(200, {"Content-Type": "application/json"}, [json.dumps(value).encode()])


def _program(transport: Any) -> list[str]:
    """Retrieve a run by an id that is in the program, list the runs, and retrieve the other one."""
    ids = ["run_aB3dE6gH9jK2"]
    for path in ("/v1/scenarios/runs/run_aB3dE6gH9jK2", "/v1/scenarios/runs"):
        with transport.send(Request("GET", path)) as response:
            body = json.loads(b"".join(response.chunks))
        ids += [each["id"] for each in body.get("runs", [body])]
    with transport.send(Request("GET", f"/v1/scenarios/runs/{ids[-1]}")):
        pass
    transport.close()
    return ids


def test_an_id_in_a_request_before_its_creation_is_kept(tmp_path: Path) -> None:
    """It is the same in each run, and one that the service makes is numbered."""
    path = tmp_path / "x.json"
    recorded = _program(RecordingTransport(path, FunctionTransport(_service)))
    assert [*recorded[:-1], "run_1"] == _program(ReplayTransport(path))
