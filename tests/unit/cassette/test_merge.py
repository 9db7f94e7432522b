"""Recording again: a file changes where the program did, and nowhere else."""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import Any, Callable

import pytest

from buntime import Buntime
from buntime.cassette.body import serialize_request
from buntime.service.scripted.results import Chunk
from buntime.transport import FakeTransport, FunctionTransport, Request, Response
from tests.support.cassettes import OLD, backdate, fake, record, replay


def scripted(number: int) -> FakeTransport:
    """Return a fake whose measurements, pieces and ids are those of one run among many."""
    transport = FakeTransport()
    for _ in range(number):  # so that ids differ from run to run
        transport.send(Request("POST", "/sessions/create"))
    pieces: list[str] = [["one ", "two ", "three\n"], ["one two three\n"], ["o", "ne two thr", "ee\n"]][
        number % 3
    ]
    chunks: list[Chunk] = [("stdout", piece) for piece in pieces]
    chunks.append(("stderr", "e\n"))
    transport.on_execute(
        "stream",
        chunks=chunks,
        execution_time=number,
        cpu_time=number + 1,
        memory_used=1000 + number,
    )
    transport.on_execute(lambda _: True, stdout="done\n", execution_time=number)
    transport.advance(1000 * number)
    return transport


def program(line: str = "console.log(2)", *more: str) -> Callable[[Buntime], None]:
    """Return a program one of whose lines may be another."""

    def run(client: Buntime) -> None:
        with client.sessions.create(ttl=600) as session:
            session.files.write("a.txt", "a")
            session.files.list()
            session.info()
            session.execute(f"console.log(1);\n{line};\nconsole.log('{session.id} {session.preview_url}')")
            with session.stream("stream") as stream:
                list(stream)
            for code in more:
                session.execute(code)
            session.kill_all()

    return run


def test_an_unchanged_program_leaves_the_file(tmp_path: Path) -> None:
    """Byte for byte, its date too, whatever varied."""
    path = tmp_path / "x.json"
    record(path, program(), scripted(0))
    before = backdate(path)
    for number in range(1, 6):
        record(path, program(), scripted(number))
        assert before == path.read_bytes()


def test_a_changed_line_changes_one_interaction(tmp_path: Path) -> None:
    """And the date of the file."""
    path = tmp_path / "x.json"
    record(path, program(), scripted(0))
    before = backdate(path).decode()
    record(path, program("console.log(22)"), scripted(1))
    after = path.read_text(encoding="utf-8")
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    assert ['-            "console.log(2);",', '+            "console.log(22);",'] == [
        line for line in lines if "console" in line
    ]
    pairs = zip(json.loads(before)["interactions"], json.loads(after)["interactions"])
    assert 1 == sum(old != new for old, new in pairs)
    assert OLD in before
    assert OLD not in after


def test_an_added_call_is_all_that_is_added(tmp_path: Path) -> None:
    """What comes before and after it stays as it was."""
    path = tmp_path / "x.json"
    record(path, program(), scripted(0))
    before = json.loads(backdate(path))["interactions"]
    record(path, program("console.log(2)", "more"), scripted(1))
    after = json.loads(path.read_text(encoding="utf-8"))["interactions"]
    assert len(before) + 1 == len(after)
    assert before == [item for item in after if item["request"].get("json", {}).get("code") != "more"]


@pytest.mark.parametrize(
    ("answer", "other"),
    [
        ({"stdout": "1"}, {"stdout": "2"}),
        ({"exitCode": 0}, {"exitCode": 1}),
        ({"executionTime": 5}, {"executionTime": None}),
        ({"executionTime": 5}, {}),
        ({"metadata": {"modified": 1}}, {"metadata": {"modified": 2}}),
        ({"pids": [1]}, {"pids": [1, 2]}),
    ],
)
def test_what_means_something_is_a_change(tmp_path: Path, answer: Any, other: Any) -> None:
    """Output, exit codes, what is missing, a user's own fields."""
    path = tmp_path / "x.json"
    for body in (answer, other):
        content = json.dumps(body).encode()
        record(
            path,
            lambda client: client.request("GET", "/x"),
            FunctionTransport(lambda _: Response(200, {"Content-Type": "application/json"}, [content])),  # noqa: B023 - used within the turn
        )
    assert other == json.loads(path.read_text(encoding="utf-8"))["interactions"][0]["response"]["json"]


@pytest.mark.parametrize(
    ("answer", "other"),
    [
        (
            {"executionTime": 5, "memoryUsed": 1, "cpuTime": 1.5},
            {"executionTime": 6, "memoryUsed": 2, "cpuTime": 2},
        ),
        ({"files": [{"path": "a", "modified": "2024"}]}, {"files": [{"path": "a", "modified": "2025"}]}),
        (
            {"createdAt": "a", "expiresAt": "b", "lastActive": "c"},
            {"createdAt": "d", "expiresAt": "e", "lastActive": "f"},
        ),
        ({"pids": [1], "killed": 1}, {"pids": [2], "killed": 1}),
    ],
)
def test_what_varies_is_no_change(tmp_path: Path, answer: Any, other: Any) -> None:
    """Times, measurements, process ids, and the headers that count requests."""
    path = tmp_path / "x.json"
    for number, body in enumerate((answer, other)):
        headers = {
            "Content-Type": "application/json",
            "Date": f"day {number}",
            "X-RateLimit-Remaining": f"{number}",
            "X-Request-Id": f"{number}",
        }
        content = json.dumps(body).encode()
        record(
            path,
            lambda client: client.request("GET", "/x"),
            FunctionTransport(lambda _: Response(200, headers, [content])),  # noqa: B023 - used within the turn
        )
    stored = json.loads(path.read_text(encoding="utf-8"))["interactions"][0]["response"]
    assert answer == stored["json"]
    assert "0" == stored["headers"]["X-Request-Id"]


def test_helpers_vary_in_their_output(tmp_path: Path) -> None:
    """A process id or a time in the answer of a helper is no change; the state of a file is numbered."""
    path = tmp_path / "x.json"
    helper = '// buntime:helper {"op": "file_range", "path": "a"}\n'

    def reading(*stamps: str) -> FunctionTransport:
        answers = iter(stamps)

        def answer(_: Request) -> Response:
            line = json.dumps({"pid": len(stamps[0]), "stamp": next(answers), "modified": 5})
            body = json.dumps({"stdout": f"{line}\n", "stderr": "", "exitCode": 0}).encode()
            return Response(200, {"Content-Type": "application/json"}, [body])

        return FunctionTransport(answer)

    def read_twice(client: Buntime) -> list[str]:
        outputs = [client.execute(session_id="ses_1", code=helper).stdout for _ in range(2)]
        return [json.loads(output)["stamp"] for output in outputs]

    record(path, read_twice, reading("5-5-1", "5-5-1"))
    before = path.read_bytes()
    assert ["stamp_1", "stamp_1"] == replay(path, read_twice)
    record(path, read_twice, reading("17-5-22", "17-5-22"))
    assert before == path.read_bytes()
    record(path, read_twice, reading("1-5-1", "1-5-2"))
    assert ["stamp_1", "stamp_2"] == replay(path, read_twice)


def test_a_stream_left_a_little_later_is_the_same(tmp_path: Path) -> None:
    """How much had come when the program left is chance."""
    path = tmp_path / "x.json"

    def leave(client: Buntime) -> None:
        with client.sessions.create() as session, session.stream("1") as stream:
            next(stream)

    for pieces in (["a", "b", "c"], ["ab", "c"]):
        transport = FakeTransport()
        transport.on_execute("1", chunks=[("stdout", piece) for piece in pieces])
        record(path, leave, transport)
    assert '{"text": "a"}' in path.read_text(encoding="utf-8")


def test_a_cassette_that_cannot_be_read_is_recorded_anew(tmp_path: Path) -> None:
    """A merge that went wrong is repaired by recording."""
    path = tmp_path / "x.json"
    path.write_text("<<<<<<< HEAD")
    record(path, program(), fake())
    replay(path, program())


def test_ids_are_numbered_wherever_they_are(tmp_path: Path) -> None:
    """In paths, bodies, texts, hosts and origins, also of a stream that brings them in pieces."""
    path = tmp_path / "x.json"
    transport = FakeTransport()
    transport.on_execute(
        lambda _: True,
        handler=lambda run: (
            f"I am {run.session_id}, at https://{run.session_id.replace('_', '-')}.buntime.sh/x"
        ),
    )

    def tell(client: Buntime) -> list[str]:
        with client.sessions.create() as one, client.sessions.create(metadata={"parent": one.id}) as other:
            assert other.info().metadata["parent"] == one.id
            return [session.execute("1").stdout for session in (other, one)]

    record(path, tell, transport)
    assert "fake" not in path.read_text(encoding="utf-8")
    assert [
        "I am ses_2, at https://ses-2.preview.invalid/x",
        "I am ses_1, at https://ses-1.preview.invalid/x",
    ] == replay(path, tell)


def test_what_tells_calls_apart_is_left_out() -> None:
    """The number of a helper's file depends on what else was under way; a name of the user's own stays."""
    name = f".buntime/calls/{'0a' * 16}"

    def asks(path: str) -> dict[str, Any]:
        request = Request("POST", "/files/write", body=json.dumps({"path": path, "content": "x"}).encode())
        found: dict[str, Any] = serialize_request(request)["json"]
        return found

    assert {"path": f"{name}.0", "content": "x"} == asks(f"{name}~3.0")
    assert {"path": "notes~1", "content": "x"} == asks("notes~1")
