"""A cassette misread output if the stream named its events in another accepted form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from buntime import Buntime, CassetteError
from buntime.testing import cassette
from buntime.transport import FunctionTransport, RecordingTransport, Response, Transport

_PASSWORD = "correct-horse-battery"


def _service(name: str, *outputs: tuple[str, str]) -> Transport:
    datas: list[dict[str, object]] = [{"type": kind, "text": text} for kind, text in outputs]
    datas.append({"type": "exit", "exitCode": 0, "stderr": ""})
    head = f"event: {name}\n" if name else ""
    body = "".join(f"{head}data: {json.dumps(data)}\n\n" for data in datas).encode()
    headers = [("Content-Type", "text/event-stream")]
    return FunctionTransport(lambda _: Response(200, headers, [body]))


@pytest.mark.parametrize("name", ["", "message"])
def test_a_secret_printed_in_pieces_is_not_recorded(name: str, tmp_path: Path) -> None:
    """The secret is stored neither whole nor in parts, in every accepted form of event names."""
    path = tmp_path / "c.json"
    outputs = ("stdout", _PASSWORD[:10]), ("stderr", "warn"), ("stdout", _PASSWORD[10:])
    with (
        Buntime(transport=RecordingTransport(path, _service(name, *outputs))) as client,
        client.stream(session_id="ses_1", code="1", env={"DB_PASSWORD": _PASSWORD}) as stream,
    ):
        assert _PASSWORD == "".join(event.text for event in stream if event.kind == "stdout")
    assert _PASSWORD[:10] not in path.read_text()
    assert _PASSWORD[10:] not in path.read_text()


@pytest.mark.parametrize("name", ["", "message"])
def test_verify_notices_another_output(name: str, tmp_path: Path) -> None:
    """``verify`` compares the output in every accepted form of event names."""
    path = tmp_path / "c.json"

    def program(mode: str, text: str) -> None:
        with (
            cassette(path, mode=mode, source=lambda: _service(name, ("stdout", text))) as client,
            client.stream(session_id="ses_1", code="1") as stream,
        ):
            list(stream)

    program("record", "total: 100")
    program("verify", "total: 100")
    with pytest.raises(CassetteError):
        program("verify", "total: 1")
