"""Replay: strict matching of requests, and errors that explain a mismatch."""

from __future__ import annotations

import json
import pickle
import threading
from pathlib import Path
from typing import Any, Callable

import pytest

from buntime import Buntime, CassetteError, CassetteMismatchError, ServerError, Session
from buntime.transport import (
    FakeTransport,
    FunctionTransport,
    ReplayTransport,
    Request,
    Response,
    SupportsTime,
    Transport,
)
from tests.support.cassettes import fake, record, replay, run

CODE = """\
const numbers = [1, 2, 3];
const sum = numbers.reduce((a, b) => a + b);
console.log(sum);
"""


def executing(code: str, **options: Any) -> Callable[[Buntime], str]:
    """Return a program that executes this code in a session."""

    def program(client: Buntime) -> str:
        with client.sessions.create() as session:
            return session.execute(code, **options).stdout

    return program


def mismatch(path: Path, program: Callable[[Buntime], object]) -> CassetteMismatchError:
    """Replay and return the error."""
    with pytest.raises(CassetteMismatchError) as caught:
        run(ReplayTransport(path), program)
    return caught.value


def test_a_changed_line_is_shown(tmp_path: Path) -> None:
    """The message has the recorded and the sent line, the diff, and the action to take."""
    path = tmp_path / "sum.json"
    record(path, executing(CODE))
    error = mismatch(path, executing(CODE.replace("a + b", "a * b")))
    assert "body" == error.reason
    message = str(error)
    assert message.startswith(f"POST /execute: the cassette {path} has no answer [body]: ")
    assert "the body differs from the closest recording, interaction 2 of 3" in message
    assert "  recorded: const sum = numbers.reduce((a, b) => a + b);\n" in message
    assert "  sent:     const sum = numbers.reduce((a, b) => a * b);\n" in message
    assert error.closest is not None
    assert "-    const sum = numbers.reduce((a, b) => a + b);" in error.closest.splitlines()
    assert "+    const sum = numbers.reduce((a, b) => a * b);" in error.closest.splitlines()
    assert f"\n{error.closest}\nTo record it again, run" in message
    assert f"BUNTIME_TRANSPORT=record:{path}" in message
    assert (1, False) == (error.attempts, error.maybe_executed)
    assert "attempt" not in message  # nothing was sent
    assert error.closest == pickle.loads(pickle.dumps(error)).closest


def test_the_closest_recording_is_the_most_similar(tmp_path: Path) -> None:
    """It is chosen from several recordings of the same route."""
    path = tmp_path / "x.json"

    def program(client: Buntime) -> None:
        with client.sessions.create() as session:
            for code in ("something else", CODE, "more\nlines\nhere"):
                session.execute(code)

    record(path, program)
    error = mismatch(path, executing(CODE.replace("3]", "4]")))
    assert "interaction 3 of 5" in str(error)


def test_the_hint_is_configurable(tmp_path: Path) -> None:
    """The code that creates the transport knows the command that records again."""
    path = tmp_path / "x.json"
    record(path, executing("1"))
    with pytest.raises(CassetteMismatchError, match=r"Run this: pytest --again"):
        run(ReplayTransport(path, refresh="Run this: pytest --again"), executing("2"))


def recorded_calls(path: Path) -> None:
    """Record a few requests to routes that no method covers."""

    def program(client: Buntime) -> None:
        client.request("GET", "/things", params={"a": 1, "b": 2})
        client.request("POST", "/things", json={"n": 1})
        client.request("POST", "/other/things", json=[1])

    content = b'{"a": 1}'
    transport = FunctionTransport(lambda _: Response(200, {"Content-Type": "application/json"}, [content]))
    record(path, program, transport)


@pytest.mark.parametrize(
    ("call", "reason", "message"),
    [
        (("GET", "/thing"), "path", "the path was not recorded; the closest is /things"),
        (("GET", "/entirely-else"), "path", "the path was not recorded"),
        (("PUT", "/things", {"n": 1}), "method", "the path was recorded with GET and POST only"),
        (("GET", "/things", None, {"a": 1}), "query", "the query differs"),
        (("POST", "/things", {"n": 1.0}), "body", "recorded: n: 1\n  sent:     n: 1.0"),
        (("POST", "/things", {"n": "1"}), "body", 'sent:     n: "1"'),
        (("POST", "/things", {"n": True}), "body", "sent:     n: true"),
        (("POST", "/things", {"n": 1, "m": None}), "body", "sent:     m: null"),
        (("POST", "/other/things", [2]), "body", "sent:     [0]: 2"),
        (("POST", "/other/things"), "body", "recorded: [0]: 1"),
    ],
)
def test_a_mismatch_has_a_reason(tmp_path: Path, call: tuple[Any, ...], reason: str, message: str) -> None:
    """It is one of a fixed set, and the message explains it."""
    recorded_calls(tmp_path / "x.json")
    error = mismatch(tmp_path / "x.json", lambda client: client.request(*call))
    assert reason == error.reason
    assert message in str(error)


def test_order_in_objects_and_queries_is_irrelevant(tmp_path: Path) -> None:
    """JSON is compared as JSON, a query as its pairs."""
    path = tmp_path / "x.json"
    transport = FunctionTransport(lambda _: Response(200, {"Content-Type": "application/json"}, [b"{}"]))
    record(
        path,
        lambda client: client.request("POST", "/x", {"a": 1, "b": {"c": 2, "d": 3}}, {"p": 1, "q": 2}),
        transport,
    )
    replay(
        path, lambda client: client.request("POST", "/x", {"b": {"d": 3, "c": 2}, "a": 1}, {"q": 2, "p": 1})
    )


def test_equal_requests_are_played_in_order(tmp_path: Path) -> None:
    """Once all their responses were played, that is the reason of the mismatch."""
    path = tmp_path / "x.json"
    counter = iter(range(100))
    transport = FakeTransport()
    transport.on_execute("1", handler=lambda _: str(next(counter)))

    def program(client: Buntime, times: int = 3) -> list[str]:
        with client.sessions.create() as session:
            return [session.execute("1").stdout for _ in range(times)]

    assert ["0", "1", "2"] == record(path, program, transport) == replay(path, program)
    error = mismatch(path, lambda client: program(client, 4))
    assert "played" == error.reason
    assert "recorded 3 times, and each response was played" in str(error)


def test_the_order_of_different_requests_is_free(tmp_path: Path) -> None:
    """A program that sends them in another order gets the same responses."""
    path = tmp_path / "x.json"
    transport = FakeTransport()
    transport.on_execute(lambda _: True, handler=lambda run: f"{run.code}!")

    def program(*codes: str) -> Callable[[Buntime], list[str]]:
        def execute(client: Buntime) -> list[str]:
            with client.sessions.create() as session:
                return [session.execute(code).stdout for code in codes]

        return execute

    record(path, program("a", "b", "c"), transport)
    assert ["c!", "a!", "b!"] == replay(path, program("c", "a", "b"))


def test_an_empty_cassette_is_reported(tmp_path: Path) -> None:
    """It was recorded by a program that sent no request."""
    path = tmp_path / "x.json"
    record(path, lambda _: None)
    error = mismatch(path, executing("1"))
    assert ("empty", None) == (error.reason, error.closest)


def test_unplayed_interactions_are_reported(tmp_path: Path) -> None:
    """As text, in the order of the file."""
    path = tmp_path / "x.json"
    record(path, executing(CODE))
    transport = ReplayTransport(path)
    client = Buntime(transport=transport)
    session = client.sessions.create()
    assert [
        "interaction 2 of 3: POST /execute 'const numbers = [1, 2, 3];'",
        "interaction 3 of 3: DELETE /sessions/ses_1",
    ] == transport.unplayed
    session.delete()
    session_code = transport.unplayed
    assert ["interaction 2 of 3: POST /execute 'const numbers = [1, 2, 3];'"] == session_code


def test_replay_never_sleeps(tmp_path: Path) -> None:
    """A back-off advances a clock of the current thread."""
    path = tmp_path / "x.json"
    record(path, executing("1"))
    transport = ReplayTransport(path)
    assert isinstance(transport, SupportsTime)
    assert isinstance(transport, Transport)
    transport.sleep(3600)
    assert 3600 == transport.monotonic()
    times: list[float] = []
    thread = threading.Thread(target=lambda: times.append(transport.monotonic()))
    thread.start()
    thread.join()
    assert [0] == times


def test_a_closed_replay_plays_nothing(tmp_path: Path) -> None:
    """The error names the cassette."""
    path = tmp_path / "x.json"
    record(path, executing("1"))
    transport = ReplayTransport(path)
    transport.close()
    transport.close()
    with pytest.raises(RuntimeError, match="closed"):
        transport.send(Request("GET", "/x"))
    assert "x.json" in repr(transport)


def test_a_missing_cassette_is_an_error(tmp_path: Path) -> None:
    """Replay never falls back to the network."""
    with pytest.raises(CassetteError, match=r"the cassette .* does not exist"):
        ReplayTransport(tmp_path / "x.json")


def test_error_responses_are_replayed(tmp_path: Path) -> None:
    """With their status, code and meaningful headers."""
    path = tmp_path / "x.json"
    transport = fake()
    transport.fail_next(
        500, call="POST /execute", code="broken", headers={"X-Request-Id": "r1", "Server": "s"}
    )

    def program(client: Buntime) -> tuple[Any, ...]:
        with client.sessions.create() as session, pytest.raises(ServerError) as caught:
            session.execute("1")
        return caught.value.status, caught.value.code, caught.value.request_id

    assert (500, "broken", "r1") == record(path, program, transport) == replay(path, program)
    assert "Server" not in path.read_text(encoding="utf-8")


def test_any_body_replays(tmp_path: Path) -> None:
    """Invalid JSON, text, bytes, nothing."""
    path = tmp_path / "x.json"
    bodies = [b"", b"{cut", b"text \xc3\xa9\n", b"\xff\x00", b'{"a": 1e999}', b"[1, 2]", b'"\\ud800"']

    def respond(request: Request) -> Response:
        return Response(200, {"Content-Type": "application/json"}, [bodies[int(request.path[1:])]])

    def program(client: Buntime) -> list[bytes]:
        return [client.request("GET", f"/{number}").content for number in range(len(bodies))]

    def values(bodies: list[bytes]) -> list[Any]:
        return [json.loads(body) if body[:1] in {b"[", b'"'} else body for body in bodies]

    assert values(record(path, program, FunctionTransport(respond))) == values(replay(path, program))


def test_any_stream_replays(tmp_path: Path) -> None:
    """Events without names, bare text, several lines of data, comments, CRLF, ``[DONE]``."""
    path = tmp_path / "x.json"
    sent = (
        b'data: {"type": "stdout", "text": "a"}\r\n\r\n: comment\n\ndata: one\ndata:  two\n\ndata: [DONE]\n\n'
    )

    def program(client: Buntime) -> list[str]:
        with client.stream(session_id="ses_1", code="1") as stream:
            return [f"{event.kind} {event.text}" for event in stream]

    transport = FunctionTransport(lambda _: Response(200, {"Content-Type": "text/event-stream"}, [sent]))
    assert ["stdout a", "stdout one\n two"] == record(path, program, transport) == replay(path, program)


def test_a_session_replays_like_a_live_one(tmp_path: Path) -> None:
    """Files, streams, commands and metadata, over several sessions."""
    path = tmp_path / "x.json"

    def use(session: Session) -> list[Any]:
        session.files.write("a b.txt", "é\n☃")
        with session.stream(command="ls") as stream:
            events = list(stream)
        return [events, session.files.read("a b.txt"), [file.path for file in session.files.list()]]

    def program(client: Buntime) -> list[Any]:
        with client.sessions.create() as one, client.sessions.create(metadata={"n": 2}) as other:
            return [use(one), use(other), other.info().metadata, one.preview_url == other.preview_url]

    assert record(path, program) == replay(path, program)
