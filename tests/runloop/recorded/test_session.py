"""The cassette of a session over a devbox shows helpers and outcomes as values, and keeps measurements."""

from __future__ import annotations

import base64
import difflib
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buntime import CassetteMismatchError, Session, StreamEvent
from buntime.cassette.body import event_bytes
from buntime.cassette.file import load, save
from buntime.cassette.secrets.redactor import scrub
from buntime.cassette.show import listing
from buntime.helpers import runner
from buntime.runloop import RunloopSDK
from buntime.runloop.session_requests import PREPARE, WORKSPACE
from buntime.runloop.wire.dialect import DIALECT
from buntime.runloop.wire.responses import OutputPosition, output
from buntime.runloop.wire.session_messages import MARK
from buntime.testing import cassette
from buntime.transport import FakeTransport, RecordingTransport, ReplayTransport, ScriptedResult, Transport
from buntime.wire.constants import CALL_MARK

SUM = """(rows) => {
  let sum = 0;
  for (const row of rows) {
    sum += row.n;
  }
  return sum;
}"""
TOKEN = "planted-token-of-the-suite"


def outcome(measured: float, label: Optional[Mapping[str, str]] = None, **fields: Any) -> str:
    """Return the last line of standard error of a request; ``measured`` differs in each run."""
    figures = {"exit": 0, "timed_out": False, "wall": measured, "cpu": measured / 4, "memory": int(measured)}
    labelled = {"label": label} if label else {}
    return as_line({**figures, "written": None, **fields, **labelled})


def as_line(fields: Mapping[str, Any]) -> str:
    """Return an outcome as Bun prints it."""
    return f"{MARK}{json.dumps(fields, ensure_ascii=False, separators=(',', ':'))}\n"


def fake(*results: ScriptedResult) -> FakeTransport:
    """Return a service whose devbox gives the requests of a session these results."""
    transport = FakeTransport()
    transport.on_execute(command=PREPARE % WORKSPACE, stdout="/usr/bin/bun\n")
    transport.on_execute(command=re.compile("run-"), results=results)
    return transport


def record(path: Path, inner: Transport, program: Any) -> Any:
    """Return the result of a program with a session, and record it."""
    with RunloopSDK(bearer_token="rk", transport=RecordingTransport(path, inner)) as runloop:
        return program(runloop.devbox.create().as_session())


def replay(path: Path, program: Any) -> Any:
    """Return the result of a program with a session that is replayed to its end."""
    transport = ReplayTransport(path)
    with RunloopSDK(bearer_token="rk", transport=transport) as runloop:
        result = program(runloop.devbox.create().as_session())
    assert [] == transport.unplayed
    return result


def calls(source: str = SUM) -> Any:
    """Return a program that calls a function."""
    return lambda session: session.call(source, [{"n": 1}, {"n": 2}])


def called(measured: float = 31.5, value: int = 3) -> FakeTransport:
    """Return a service in which the function returns a value."""
    reply = f'{CALL_MARK}{{"value":{value}}}\n'
    return fake(ScriptedResult(stdout=reply, stderr=outcome(measured, {"op": "call"})))


def test_a_function_has_a_line_for_each_of_its_lines(tmp_path: Path) -> None:
    """Nothing else of the program of the helper is stored."""
    path = tmp_path / "x.json"
    assert 3 == record(path, called(), calls())
    request, response = (load(path).interactions[at] for at in (-2, -1))
    assert {
        "file_path": ".buntime/requests/«value:request».json",
        "contents": {
            "op": "run",
            "helper": {"op": "call", "source": SUM, "arguments": [[{"n": 1}, {"n": 2}]]},
            "timeout": 300,
        },
    } == request.request["json"]
    assert response.response is not None
    body = response.response["json"]
    assert ("", 3, "") == (body["stdout"], body["value"], body["stderr"])
    assert (31.5, {"op": "call"}) == (body["outcome"]["wall"], body["outcome"]["label"])
    text = path.read_text("utf-8")
    assert ("buntime:" in text, "nodePath" in text) == (False, False)
    assert 3 == replay(path, calls())


def test_a_changed_line_is_a_changed_line(tmp_path: Path) -> None:
    """The other one is the effect in the response, beside its measurements."""
    path = tmp_path / "x.json"
    record(path, called(), calls())
    before = path.read_text("utf-8")
    record(path, called(value=6), calls(SUM.replace("row.n;", "row.n * 2;")))
    lines = difflib.ndiff(before.splitlines(), path.read_text("utf-8").splitlines())
    changed = [line for line in lines if line[:2] in {"- ", "+ "}]
    assert [
        '"    sum += row.n;",',
        '"    sum += row.n * 2;",',
        '"value": 3,',
        '"value": 6,',
    ] == [line[2:].strip() for line in changed]


def test_recording_again_changes_no_line(tmp_path: Path) -> None:
    """Measurements, pids and times of files keep their values, in a result, a stream and an outcome."""

    def program(session: Session) -> list[Any]:
        with session.stream("log()") as stream:
            streamed = list(stream)
        files = [(info.path, info.size) for info in session.files.list()]
        return [calls()(session), streamed, files, session.kill_all().killed]

    def service(measured: float, cut: int) -> FakeTransport:
        reply = f'{CALL_MARK}{{"value":3}}\n'
        text = "error\n" + outcome(measured)
        entry = {"path": "a.txt", "size": 1, "type": "file", "modified": measured}
        return fake(
            ScriptedResult(stderr=text, chunks=(("stderr", text[:cut]), ("stderr", text[cut:]))),
            ScriptedResult(stderr=as_line({"entries": [entry]})),
            ScriptedResult(stdout=reply, stderr=outcome(measured, {"op": "call"})),
            ScriptedResult(stderr=as_line({"pids": [int(measured)]})),
        )

    path = tmp_path / "x.json"
    expected = [3, [StreamEvent("stderr", "error\n")], [("a.txt", 1)], 1]
    assert expected == record(path, service(31.5, 6), program)
    before = path.read_bytes()
    for measured, cut in ((18.25, 6), (47.125, 12), (1234.5, 30)):
        assert expected == record(path, service(measured, cut), program)
        assert before == path.read_bytes()
    assert expected == replay(path, program)


def test_recording_a_large_stream_again_changes_no_line(tmp_path: Path) -> None:
    """Its outcome is a value, too."""

    def program(session: Session) -> str:
        with session.stream("log()") as stream:
            return "".join(event.text for event in stream)

    path, text = tmp_path / "x.json", f"{'a line of output ' * 3}\n" * 25_000
    for measured in (31.5, 18.25):
        result = ScriptedResult(stdout="printed", stderr=text + outcome(measured))
        assert sorted("printed" + text) == sorted(record(path, fake(result), program))
        content = path.read_bytes()
        assert b'"wall": 31.5' in content
        assert MARK.encode() not in content
    assert sorted("printed" + text) == sorted(replay(path, program))


def test_another_exit_code_is_a_change(tmp_path: Path) -> None:
    """Also in the events of a stream, whose texts are equal."""

    def program(session: Session) -> Any:
        with session.stream("1") as stream:
            return [*stream, stream.result.exit_code, stream.result.files_written]

    path = tmp_path / "x.json"
    for code, written in ((0, ("a.txt",)), (3, ("a.txt",)), (3, ("b.txt",))):
        text = outcome(20.5, exit=code, written=written)
        record(path, fake(ScriptedResult(stderr=text, exit_code=code)), program)
        assert [code, written] == replay(path, program)


def test_replay_does_not_depend_on_the_programs_of_the_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither on a helper's, nor on that of the session, whose name is its hash."""
    path = tmp_path / "x.json"
    record(path, called(), calls())
    program_of = runner._program
    monkeypatch.setattr(runner, "_program", lambda name: f"// another release\n{program_of(name)}")
    assert 3 == replay(path, calls())
    with pytest.raises(CassetteMismatchError) as caught:
        replay(path, calls(SUM.replace("row.n;", "row.n * 2;")))
    assert "sum += row.n * 2;" in str(caught.value)
    assert "buntime:helper" not in str(caught.value)


def test_a_scrubbed_cassette_replays(tmp_path: Path) -> None:
    """The names of its requests stay; those of other files in the folder are no names of requests."""
    path = tmp_path / "x.json"

    def program(session: Session) -> Any:
        return [session.execute(f"print({TOKEN!r})").stdout, calls()(session)]

    transport = fake(
        ScriptedResult(stdout=TOKEN, stderr=outcome(1.5)),
        ScriptedResult(stdout=f'{CALL_MARK}{{"value":3}}\n', stderr=outcome(31.5, {"op": "call"})),
    )
    record(path, transport, program)
    scrubbed = scrub(load(path), {"TOKEN": TOKEN})
    save(path, scrubbed)
    text = path.read_text("utf-8")
    assert TOKEN not in text
    assert 4 == len(re.findall(r"(?:requests/|run.ts )«value:request(?::2)?».json", text))
    assert [TOKEN, 3] == replay(path, program)


@pytest.mark.parametrize("name", ["notes.json", f"{'0' * 31}.json", f"{'0' * 32}.txt"])
def test_other_files_in_the_folder_are_files(tmp_path: Path, name: str) -> None:
    """Their names and contents are stored as they are."""
    path, content = tmp_path / "x.json", '{"op": "run", "files": [1]}'
    with RunloopSDK(bearer_token="rk", transport=RecordingTransport(path, FakeTransport())) as runloop:
        runloop.devbox.create().file.write(file_path=f".buntime/requests/{name}", contents=content)
    body = load(path).interactions[-1].request["json"]
    assert {"file_path": f".buntime/requests/{name}", "contents": content} == body


def test_a_listing_has_the_decoded_form(tmp_path: Path) -> None:
    """The lines of a function, and its value."""
    path = tmp_path / "x.json"
    record(path, called(), calls())
    lines = [line.strip() for line in listing(load(path), "x")]
    assert '> contents.helper.op: "call"' in lines
    assert ">     sum += row.n;" in [re.sub(r"> +", ">     ", line) for line in lines]
    assert "< value: 3" in lines
    assert "< outcome.wall: 31.5" in lines
    assert "call '(rows) => {'" == DIALECT.summary(load(path).interactions[-2].request)


def test_a_file_has_a_number_for_each_of_its_states(tmp_path: Path) -> None:
    """Its state is a text with the time of the change."""

    def program(session: Session) -> bytes:
        return session.files.read_bytes("a.bin")

    def service(stamp: str) -> FakeTransport:
        reply = {"size": 2, "stamp": stamp, "sha256": None, "base64": base64.b64encode(b"hi").decode()}
        label = {"op": "file_range", "path": "a.bin"}
        return fake(ScriptedResult(stdout=f"\n{json.dumps(reply)}\n", stderr=outcome(9.5, label)))

    path = tmp_path / "x.json"
    assert b"hi" == record(path, service("7-2-1795939664950"), program)
    before = path.read_bytes()
    assert b'"stamp": "stamp_1"' in before
    assert b"hi" == record(path, service("9-2-1895939664951"), program)
    assert before == path.read_bytes()
    assert b"hi" == replay(path, program)


@pytest.mark.parametrize("printed", [TOKEN, f"({TOKEN})", base64.b64encode(TOKEN.encode()).decode()])
def test_a_secret_in_a_reply_or_an_outcome_is_hidden(tmp_path: Path, printed: str) -> None:
    """It returns when it is replayed, in whatever form it was."""

    def program(session: Session) -> list[Any]:
        result = session.execute("print()", env={"TOKEN": TOKEN})
        with session.stream("print()", env={"TOKEN": TOKEN}) as stream:
            streamed = list(stream)
        return [result.files_written, session.call("() => 1"), streamed, stream.result.files_written]

    written = outcome(9.5, written=[printed])
    text = f"{printed}\n{written}"
    cut = len(printed) // 2
    reply = CALL_MARK + json.dumps({"value": {"deep": [printed]}}) + "\n"
    transport = fake(
        ScriptedResult(stderr=written),
        ScriptedResult(stderr=text, chunks=(("stderr", text[:cut]), ("stderr", text[cut:]))),
        ScriptedResult(stdout=reply, stderr=outcome(9.5, {"op": "call"})),
    )
    path = tmp_path / "x.json"
    recorded = record(path, transport, program)
    assert [(printed,), {"deep": [printed]}] == recorded[:2]
    assert "«" in path.read_text("utf-8")
    assert [] == [form for form in (TOKEN, printed) if form in path.read_text("utf-8")]
    assert recorded == replay(path, program)


@given(
    st.lists(st.text(), max_size=3), st.lists(st.integers(0, 60), max_size=4), st.booleans(), st.booleans()
)
def test_events_are_restored(texts: list[str], cuts: list[int], with_offsets: bool, ends: bool) -> None:
    """The text is the same, however it is cut, with an outcome at its end or without."""
    text = "".join(texts) + (outcome(31.5, written=texts) if ends else MARK)
    text = text.encode("utf-8", "ignore").decode()
    events = [*_events(text, sorted({0, *(min(cut, len(text)) for cut in cuts), len(text)}), with_offsets)]
    decoded = DIALECT.decode_response({}, events)
    assert ends == any("outcome" in event[-1] for event in decoded)
    encoded = itertools.chain.from_iterable(DIALECT.encode_response({}, [event]) for event in decoded)
    assert text == "".join(output(map(event_bytes, encoded), OutputPosition()))


def _events(text: str, ends: list[int], with_offsets: bool) -> Iterator[list[Any]]:
    for begin, end in zip(ends, ends[1:]):
        offset = {"offset": len(text[:begin].encode())} if with_offsets else {}
        yield [begin, "", {"output": text[begin:end], **offset}]


@pytest.mark.parametrize(
    "stderr",
    [
        "",
        MARK,
        f"{MARK}[]\n",
        f"{MARK}{{}}",
        f'{MARK}{{"exit": 4}}\n',
        f'{MARK}{{"exit":1e3}}\n',
        f'{MARK}{{"exit":4}}\nlate\n',
    ],
)
def test_what_would_not_come_back_is_stored_as_it_is(stderr: str) -> None:
    """A program may print a line like an outcome, and another process something after it."""
    body = {"stdout": "{}\n", "stderr": stderr}
    assert body == DIALECT.decode_response({}, body)
    assert body == DIALECT.encode_response({}, body)
    events = [[0, "", {"output": stderr}]]
    assert events == DIALECT.decode_response({}, events)


def test_fields_with_the_name_of_a_decoded_one_stay() -> None:
    """A service may have such a field."""
    body = {"stdout": "", "stderr": f'{MARK}{{"exit":4}}\n', "outcome": "odd"}
    assert body == DIALECT.decode_response({}, body) == DIALECT.encode_response({}, body)


def test_a_local_recording_is_the_same_again(tmp_path: Path) -> None:
    """With files, a stream, a REPL and a process."""

    def program(runloop: RunloopSDK) -> list[Any]:
        with runloop.devbox.create() as devbox:
            session = devbox.as_session()
            results: list[Any] = [session.call(SUM, [{"n": 1}])]
            session.files.write("sub/a.txt", "one\ntwo\n")
            session.files.write("b.bin", b"\xff\0")
            results += [session.files.read("sub/a.txt"), session.files.read_bytes("b.bin")]
            results.append([info.path for info in session.files.list(recursive=True)])
            with session.stream("console.log(5); console.error(6)") as stream:
                results.append(sorted(event.text for event in stream))
            with session.repl() as repl:
                results.append(repl.eval("1 + 1"))
            results.append(session.start("console.log(7)").wait(20))
            return results

    path = tmp_path / "x.json"
    expected = [1, "one\ntwo\n", b"\xff\0", ["b.bin", "sub", "sub/a.txt"], ["5\n", "6\n"], 2, 0]
    for _ in range(2):
        before = path.read_bytes() if path.exists() else None
        with cassette(path, client=RunloopSDK, mode="record", source="local") as client:
            assert expected == program(client)
        assert before in {None, path.read_bytes()}
    assert "buntime:helper" not in path.read_text("utf-8")
    with cassette(path, client=RunloopSDK) as client:
        assert expected == program(client)
