"""Faults of recordings that serialize requests late, and store output that a result repeats by its length."""

from __future__ import annotations

import copy
import gc
import json
import pickle
import resource
import signal
import threading
from datetime import date
from pathlib import Path
from typing import Any, Callable

import pytest

from buntime import CassetteError
from buntime.cassette import file
from buntime.cassette.body import serialize_request
from buntime.cassette.history import History
from buntime.cassette.journal import Journal
from buntime.cassette.pending import PendingInteraction
from buntime.cassette.secrets.redactor import Redactor
from buntime.transport import (
    FunctionTransport,
    HTTPTransport,
    RecordingTransport,
    ReplayTransport,
    Request,
    Response,
    Transport,
    _recorder,
)
from tests.support.loopback import LoopbackServer, reply

JSON = (("Content-Type", "application/json"),)
SESSION = "ses_8fK2mQ9xZ4aB"
SECRET = "TOKENVALUE-1234567890"


def _post(path: str, **fields: Any) -> Request:
    return Request("POST", path, headers=JSON, body=json.dumps(fields).encode())


def _answer(value: object = None) -> Response:
    return Response(200, JSON, [json.dumps(value or {}).encode()])


@pytest.mark.parametrize("cut", [0, 12])
@pytest.mark.parametrize("text", [SESSION, SECRET])
def test_truncated_output_with_ids_and_secrets(text: str, cut: int, tmp_path: Path) -> None:
    """Replay returns what was recorded, with its own ids and secrets, also if they are longer or cut."""
    output = f"{'x' * (2000 - cut)}{text} {'line' * 1000} {text}"
    last = f"{output[:2000]}\n[...]\n{output[-1500:]}"
    events = [{"text": output[start : start + 700]} for start in range(0, len(output), 700)]
    stream = [f"event: stdout\ndata: {json.dumps(event)}\n\n".encode() for event in events]
    stream.append(f"event: result\ndata: {json.dumps({'stdout': last, 'exitCode': 0})}\n\n".encode())

    def respond(request: Request) -> Response:
        if request.path == "/sessions/create":
            return _answer({"sessionId": SESSION})
        return Response(200, {"Content-Type": "text/event-stream"}, stream)

    def result(transport: Transport, secret: str) -> tuple[str, str]:
        session = json.loads(transport.send(_post("/sessions/create")).read())["sessionId"]
        request = _post("/execute", sessionId=session, code="1", env={"API_TOKEN": secret})
        body = transport.send(request).read().decode()
        transport.close()
        return session, json.loads(body.rpartition("data: ")[2])["stdout"]

    path = tmp_path / "x.json"
    assert (SESSION, last) == result(RecordingTransport(path, FunctionTransport(respond)), SECRET)
    assert SECRET[:8] not in path.read_text("utf-8")
    for secret in (SECRET, "S" * 12, "S" * 40):
        session, replayed = result(ReplayTransport(path), secret)
        if cut == 0 or secret == SECRET:
            assert last.replace(SESSION, session).replace(SECRET, secret) == replayed


def test_a_failed_request_beside_another_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that ends by another exception does not disturb the one that is serialized meanwhile."""
    started, learning, dropped = threading.Event(), threading.Event(), threading.Event()
    learn = _recorder.Recorder.learn

    def respond(request: Request) -> Response:
        if request.path == "/sessions/bad":
            started.set()
            learning.wait(20)
            raise ValueError
        return _answer()

    def learn_slowly(recorder: _recorder.Recorder, pending: PendingInteraction) -> None:
        learning.set()
        dropped.wait(0.2)
        learn(recorder, pending)

    def fail() -> None:
        with pytest.raises(ValueError):
            transport.send(Request("GET", "/sessions/bad"))
        dropped.set()

    transport = RecordingTransport(tmp_path / "x.json", FunctionTransport(respond))
    thread = threading.Thread(target=fail)
    thread.start()
    started.wait(20)
    monkeypatch.setattr(_recorder.Recorder, "learn", learn_slowly)
    assert b"{}" == transport.send(Request("GET", "/sessions/x")).read()
    thread.join()
    transport.close()


def test_an_idle_connection_keeps_nothing_of_a_recording(tmp_path: Path) -> None:
    """Neither the interaction nor its body."""
    with LoopbackServer(reply(200, b"x" * 100_000)) as server:
        transport = RecordingTransport(tmp_path / "x.json", HTTPTransport(server.url))
        assert 100_000 == len(transport.send(Request("GET", "/sessions/a")).read())
        gc.collect()
        assert [] == [each for each in gc.get_objects() if isinstance(each, PendingInteraction)]
        transport.close()


def test_a_journal_after_a_failed_write(tmp_path: Path) -> None:
    """The lines after it can be read."""
    path = tmp_path / "x.json.part"
    journal = Journal(path, file.journal_head(date(2026, 1, 1)))
    request = {"method": "GET", "path": "/x"}
    data = {"request": request, "response": {"status": 200, "headers": {}}}
    large = {**data, "request": {**request, "text": "y" * 5000}}
    journal.append(file.journal_line(1, data))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
        with pytest.raises(OSError):
            journal.append(file.journal_line(2, large))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    journal.append(file.journal_line(3, data))
    journal.append(file.journal_line(4, data))
    assert 3 == len(file.load(path).interactions)
    journal.end()


def test_a_request_that_cannot_be_serialized(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program gets its responses, in all threads, and closing names the request; nothing is left."""
    path = tmp_path / "x.json"
    sent, answered = threading.Event(), threading.Event()

    def respond(request: Request) -> Response:
        if request.path == "/execute":
            sent.set()
            answered.wait(20)
        return _answer()

    def serialize(request: Request) -> dict[str, Any]:
        if request.path == "/execute":
            raise RecursionError
        return serialize_request(request)

    monkeypatch.setattr(_recorder, "serialize_request", serialize)
    transport = RecordingTransport(path, FunctionTransport(respond))
    bodies: list[bytes] = []
    deep = _post("/execute", code="1")
    thread = threading.Thread(target=lambda: bodies.append(transport.send(deep).read()))
    thread.start()
    sent.wait(20)
    bodies.append(transport.send(Request("GET", "/sessions/x")).read())
    answered.set()
    thread.join()
    assert [b"{}", b"{}"] == bodies
    with pytest.raises(CassetteError, match=r"interaction 1, POST /execute, cannot be recorded \(Recursion"):
        transport.close()
    assert [] == [*tmp_path.iterdir()]


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])
def test_the_request_to_record_is_a_value(copied: Callable[[Request], Request], tmp_path: Path) -> None:
    """A transport can store it; its class stays, and a copy has nothing of the recording."""

    class Mine(Request):
        pass

    requests: list[Request] = []

    def respond(request: Request) -> Response:
        requests.append(request)
        return _answer()

    transport = RecordingTransport(tmp_path / "x.json", FunctionTransport(respond))
    transport.send(Request("GET", "/sessions/a")).read()
    transport.send(Mine("GET", "/sessions/a")).read()
    transport.close()
    assert [Request, Mine] == [*map(type, requests)]
    copied_request = copied(requests[0])
    assert requests[0] == copied_request
    assert None is copied_request.on_sent


def test_interrupted_search_for_a_new_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Ctrl-C in it does not leave the secret in earlier interactions."""
    path = tmp_path / "x.json"
    transport = RecordingTransport(path, FunctionTransport(lambda _: _answer({"stdout": SECRET})))
    transport.send(_post("/execute", code="a")).read()
    containing = History.containing

    def interrupt(*_: object) -> set[int]:
        monkeypatch.setattr(History, "containing", containing)
        raise KeyboardInterrupt

    monkeypatch.setattr(History, "containing", interrupt)
    with pytest.raises(KeyboardInterrupt):
        transport.send(_post("/execute", code="b", env={"MY_TOKEN": SECRET})).read()
    with pytest.raises(CassetteError, match=r"interaction 1, POST /execute 'a', holds «env:MY_TOKEN»"):
        transport.close()
    assert [] == [*tmp_path.iterdir()]


def test_interrupted_redaction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The interaction is in the cassette."""
    path = tmp_path / "x.json"
    transport = RecordingTransport(path, FunctionTransport(lambda _: _answer()))
    redact_line = Redactor.redact_line

    def interrupt(*_: object, **__: object) -> tuple[str, list[str]]:
        monkeypatch.setattr(Redactor, "redact_line", redact_line)
        raise KeyboardInterrupt

    monkeypatch.setattr(Redactor, "redact_line", interrupt)
    with pytest.raises(KeyboardInterrupt):
        transport.send(_post("/execute", code="a")).read()
    transport.send(_post("/execute", code="b")).read()
    transport.close()
    assert ["a", "b"] == [item.request["json"]["code"] for item in file.load(path).interactions]
