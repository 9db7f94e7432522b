"""Recording again changes only the interactions that the program changed."""

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
from tests.support.cases import in_one_test
from tests.support.cassettes import OLD, backdate, fake, record, replay


def scripted(number: int) -> FakeTransport:
    """Return a fake whose measurements, pieces and ids depend on the number of the run."""
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
    """Return a program with one replaceable line."""

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


def test_an_unchanged_program_leaves_the_file_unchanged(tmp_path: Path) -> None:
    """It is equal byte for byte, its date too, whatever varied."""
    path = tmp_path / "x.json"
    record(path, program(), scripted(0))
    before = backdate(path)
    for number in range(1, 6):
        record(path, program(), scripted(number))
        assert before == path.read_bytes()


def test_a_changed_line_changes_one_interaction(tmp_path: Path) -> None:
    """The date of the file changes too."""
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


def test_an_added_request_is_the_only_addition(tmp_path: Path) -> None:
    """The interactions before and after it are unchanged."""
    path = tmp_path / "x.json"
    record(path, program(), scripted(0))
    before = json.loads(backdate(path))["interactions"]
    record(path, program("console.log(2)", "more"), scripted(1))
    after = json.loads(path.read_text(encoding="utf-8"))["interactions"]
    assert len(before) + 1 == len(after)
    assert before == [item for item in after if item["request"].get("json", {}).get("code") != "more"]


@in_one_test(
    ("first", "other"),
    [
        ({"stdout": "1"}, {"stdout": "2"}),
        ({"exitCode": 0}, {"exitCode": 1}),
        ({"executionTime": 5}, {"executionTime": None}),
        ({"executionTime": 5}, {}),
        ({"metadata": {"modified": 1}}, {"metadata": {"modified": 2}}),
        ({"pids": [1]}, {"pids": [1, 2]}),
    ],
)
def test_meaningful_values_are_changes(tmp_path: Path, first: Any, other: Any) -> None:
    """Output, exit codes, missing fields, a user's own fields."""
    path = tmp_path / "x.json"
    for body in (first, other):
        content = json.dumps(body).encode()
        record(
            path,
            lambda client: client.request("GET", "/x"),
            FunctionTransport(lambda _: Response(200, {"Content-Type": "application/json"}, [content])),  # noqa: B023 - used within the turn
        )
    assert other == json.loads(path.read_text(encoding="utf-8"))["interactions"][0]["response"]["json"]


@pytest.mark.parametrize(
    ("first", "other"),
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
def test_volatile_values_are_not_changes(tmp_path: Path, first: Any, other: Any) -> None:
    """Times, measurements, process ids, and the headers that count requests."""
    path = tmp_path / "x.json"
    for number, body in enumerate((first, other)):
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
    assert first == stored["json"]
    assert "0" == stored["headers"]["X-Request-Id"]


def test_output_of_helpers_varies(tmp_path: Path) -> None:
    """A process id or a time in the output of a helper is ignored; the state of a file is numbered."""
    path = tmp_path / "x.json"
    helper = '// buntime:helper {"op": "file_range", "path": "a"}\n'

    def reading(*stamps: str) -> FunctionTransport:
        stamp_values = iter(stamps)

        def respond(_: Request) -> Response:
            line = json.dumps({"pid": len(stamps[0]), "stamp": next(stamp_values), "modified": 5})
            body = json.dumps({"stdout": f"{line}\n", "stderr": "", "exitCode": 0}).encode()
            return Response(200, {"Content-Type": "application/json"}, [body])

        return FunctionTransport(respond)

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


def test_a_stream_left_slightly_later_is_the_same(tmp_path: Path) -> None:
    """The amount received before the program leaves it is random."""
    path = tmp_path / "x.json"

    def leave(client: Buntime) -> None:
        with client.sessions.create() as session, session.stream("1") as stream:
            next(stream)

    for pieces in (["a", "b", "c"], ["ab", "c"]):
        transport = FakeTransport()
        transport.on_execute("1", chunks=[("stdout", piece) for piece in pieces])
        record(path, leave, transport)
    assert '{"text": "a"}' in path.read_text(encoding="utf-8")


def test_an_unreadable_cassette_is_recorded_again(tmp_path: Path) -> None:
    """Recording repairs the file of a failed merge."""
    path = tmp_path / "x.json"
    path.write_text("<<<<<<< HEAD")
    record(path, program(), fake())
    replay(path, program())


def test_ids_are_numbered_everywhere(tmp_path: Path) -> None:
    """In paths, bodies, texts, hosts and origins, also of a stream that brings them in pieces."""
    path = tmp_path / "x.json"
    transport = FakeTransport()
    transport.on_execute(
        lambda _: True,
        handler=lambda run: (
            f"I am {run.session_id}, at https://{run.session_id.replace('_', '-')}.buntime.sh/x"
        ),
    )

    def introduce(client: Buntime) -> list[str]:
        with client.sessions.create() as one, client.sessions.create(metadata={"parent": one.id}) as other:
            assert other.info().metadata["parent"] == one.id
            return [session.execute("1").stdout for session in (other, one)]

    record(path, introduce, transport)
    assert "fake" not in path.read_text(encoding="utf-8")
    assert [
        "I am ses_2, at https://ses-2.preview.invalid/x",
        "I am ses_1, at https://ses-1.preview.invalid/x",
    ] == replay(path, introduce)


def test_numbers_of_helper_files_are_removed() -> None:
    """They depend on concurrent requests; a user's file of a similar name keeps its name."""
    name = f".buntime/calls/{'0a' * 16}"

    def normalize(path: str) -> dict[str, Any]:
        request = Request("POST", "/files/write", body=json.dumps({"path": path, "content": "x"}).encode())
        fields: dict[str, Any] = serialize_request(request)["json"]
        return fields

    assert {"path": f"{name}.0", "content": "x"} == normalize(f"{name}~3.0")
    assert {"path": "notes~1", "content": "x"} == normalize("notes~1")
