"""Scripted executions from a JSON file: what they answer, and what is said of a file that is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable, Union

import pytest

from buntime._http import Request
from buntime.service.scripted.script_file import ScriptFileError, read_scripts
from buntime.service.sessions.app import Service
from buntime.service.workspace.memory import MemoryWorkspace
from tests.support.clocks import ManualClock
from tests.support.openapi import complaints, events, schema

Write = Callable[[Union[str, bytes]], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes the script file."""

    def written(text: str | bytes) -> Path:
        path = tmp_path / "scripts.json"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return written


class _Scripted:
    """A session whose executions are scripted by a file."""

    def __init__(self, path: Path) -> None:
        clock = ManualClock()
        self._service = Service(read_scripts(path), lambda _: MemoryWorkspace(clock), clock=clock)
        self._session_id = self._send("/sessions/create", {})["sessionId"]

    def run(self, code: str | None = None, **fields: Any) -> Any:
        """Return the result of an execution, or the error's code."""
        answer = self._send("/execute", {"sessionId": self._session_id, "code": code, **fields})
        if "error" in answer:
            return answer["error"]["code"]
        assert [] == complaints(schema("ExecuteResult"), answer)
        return answer

    def stream(self, code: str) -> list[tuple[str, Any]]:
        """Return the events of an execution."""
        body = {"sessionId": self._session_id, "code": code, "stream": True}
        return events(self._raw("/execute", body).decode())

    def _send(self, path: str, body: Any) -> Any:
        return json.loads(self._raw(path, body))

    def _raw(self, path: str, body: Any) -> bytes:
        headers = (("Content-Type", "application/json"),)
        return self._service.handle(
            Request("POST", path, headers=headers, body=json.dumps(body).encode())
        ).read()


@pytest.fixture
def scripted(write: Write) -> Callable[..., _Scripted]:
    """Return a function that makes a session of these scripts."""
    return lambda *scripts: _Scripted(write(json.dumps(scripts)))


@pytest.mark.parametrize(
    ("match", "answered", "unanswered"),
    [
        ({"code": "1 + 1"}, {"code": "1 + 1"}, {"code": "1 + 1;"}),
        ({"contains": "+"}, {"code": "1 + 1"}, {"code": "1 - 1"}),
        ({"code_pattern": r"^\d \+"}, {"code": "1 + 1"}, {"code": "x + 1"}),
        ({"command": "bun test"}, {"command": "bun test"}, {"code": "bun test"}),
        ({"command_pattern": "test$"}, {"command": "bun test"}, {"command": "bun tests"}),
    ],
    ids=lambda value: next(iter(value)),
)
def test_a_script_answers_what_it_matches(
    scripted: Callable[..., _Scripted], match: Any, answered: Any, unanswered: Any
) -> None:
    """By exact code, part of it, pattern, exact command or pattern of it; nothing else is answered."""
    session = scripted({**match, "stdout": "2\n"})

    assert "2\n" == session.run(**answered)["stdout"]
    assert "unscripted_execution" == session.run(**unanswered)


def test_a_result_has_every_field_that_is_given(scripted: Callable[..., _Scripted]) -> None:
    """Output, exit code, figures, and the files that the program is said to have written."""
    given = {
        "stdout": "ö",
        "stderr": "e",
        "exit_code": 3,
        "execution_time": 45.4,
        "cpu_time": 41.6,
        "memory_used": 1024,
        "files": {"out/a.txt": "a"},
    }
    assert {
        "stdout": "ö",
        "stderr": "e",
        "exitCode": 3,
        "executionTime": 45,
        "cpuTime": 42,
        "memoryUsed": 1024,
        "timedOut": False,
        "filesWritten": ["out/a.txt"],
    } == scripted({"code": "x", **given}).run("x")


def test_an_execution_can_reach_its_time_limit(scripted: Callable[..., _Scripted]) -> None:
    """With the exit code that the service gives it."""
    result = scripted({"code": "x", "timed_out": True, "stdout": "started"}).run("x")
    assert (True, 124, "started") == (result["timedOut"], result["exitCode"], result["stdout"])


def test_chunks_are_the_events_of_a_stream(scripted: Callable[..., _Scripted]) -> None:
    """In their order; the result has the whole of each."""
    chunks = [["stdout", "a"], ["stderr", "b"], ["stdout", "c"]]
    found = scripted({"code": "x", "chunks": chunks}).stream("x")

    assert [("stdout", "a"), ("stderr", "b"), ("stdout", "c")] == [
        (it, data["text"]) for it, data in found[:3]
    ]
    assert ("result", "ac", "b") == (found[3][0], found[3][1]["stdout"], found[3][1]["stderr"])


def test_results_are_used_up_in_turn(scripted: Callable[..., _Scripted]) -> None:
    """One for each execution; after the last the execution is unscripted again."""
    session = scripted({"code": "x", "results": [{"stdout": "1"}, {"exit_code": 2}]})

    assert "1" == session.run("x")["stdout"]
    assert 2 == session.run("x")["exitCode"]
    assert "unscripted_execution" == session.run("x")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it must be JSON: Expecting value"),
        ("{", "it must be JSON"),
        (b"\xff", "it must be JSON: 'utf-8' codec"),
        ("{}", "it must be a JSON list of scripts"),
        ('[{"code": "x", "execution_time": NaN}]', "it must be JSON: NaN is no JSON number"),
    ],
)
def test_a_file_that_is_no_list_is_refused(write: Write, text: str | bytes, message: str) -> None:
    """The message names the file and what is wrong with it."""
    path = write(text)
    with pytest.raises(ScriptFileError) as caught:
        read_scripts(path)
    assert str(caught.value).startswith(f"{path}: {message}")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """The message names it, once."""
    path = tmp_path / "missing.json"
    with pytest.raises(ScriptFileError) as caught:
        read_scripts(path)
    assert f"{path}: No such file or directory" == str(caught.value)


_ONE_OF = "it needs exactly one of code, code_pattern, command, command_pattern, contains"
_PAIRS = 'chunks must be pairs such as ["stdout", "text"] or ["stderr", "text"]'


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (1, "it must be an object"),
        ({}, _ONE_OF),
        ({"stdout": "1"}, _ONE_OF),
        ({"code": "x", "contains": "x"}, _ONE_OF),
        ({"code": 1}, "code must be a string"),
        ({"contains": None}, "contains must be a string"),
        ({"code_pattern": "("}, "code_pattern: missing ), unterminated subpattern at position 0"),
        ({"code": "x", "results": [], "stdout": "1"}, "results cannot stand beside stdout"),
        ({"code": "x", "results": []}, "results must be a list of results, and not empty"),
        ({"code": "x", "results": {}}, "results must be a list of results, and not empty"),
        ({"code": "x", "results": ["1"]}, "a result must be an object"),
        ({"code": "x", "output": "1"}, "unknown field output; known are chunks, cpu_time, execution_time,"),
        ({"code": "x", "stdout": 1}, "stdout must be a string"),
        ({"code": "x", "stderr": None}, "stderr must be a string"),
        ({"code": "x", "exit_code": "1"}, "exit_code must be an integer"),
        ({"code": "x", "exit_code": True}, "exit_code must be an integer"),
        ({"code": "x", "timed_out": 1}, "timed_out must be true or false"),
        ({"code": "x", "execution_time": "1"}, "execution_time must be a number"),
        ({"code": "x", "execution_time": -1}, "execution_time must not be negative nor infinite"),
        ({"code": "x", "cpu_time": True}, "cpu_time must be a number"),
        ({"code": "x", "memory_used": 1.5}, "memory_used must be an integer"),
        ({"code": "x", "memory_used": -1}, "memory_used must not be negative"),
        ({"code": "x", "chunks": "abc"}, "chunks must be a list of pairs"),
        ({"code": "x", "chunks": ["ab"]}, _PAIRS),
        ({"code": "x", "chunks": [["stdout"]]}, _PAIRS),
        ({"code": "x", "chunks": [["log", "a"]]}, _PAIRS),
        ({"code": "x", "chunks": [[["stdout"], "a"]]}, _PAIRS),
        ({"code": "x", "chunks": [["stdout", 1]]}, "the text in chunks must be a string"),
        ({"code": "x", "chunks": [], "stdout": "a"}, "give the output as chunks, or as stdout and stderr"),
        ({"code": "x", "files": ["a"]}, "files must be an object with texts by path"),
        ({"code": "x", "files": {"a": 1}}, "files['a'] must be a string"),
        ({"code": "x", "files": {"../a": ""}}, "'../a' leaves /workspace"),
        ({"code": "x", "files": {".": ""}}, "files: '.' is no path of a file"),
        ({"code": "x", "files": {"a": "\ud800"}}, "'utf-8' codec can't encode"),
    ],
)
def test_a_script_that_has_no_meaning_is_refused(write: Write, script: object, message: str) -> None:
    """When the file is read, and not when an execution comes; the message names file, script and field."""
    path = write(json.dumps([{"code": "fine"}, script]))
    with pytest.raises(ScriptFileError) as caught:
        read_scripts(path)
    assert str(caught.value).startswith(f"{path}: script 1: {message}")


def test_an_infinite_time_is_refused(write: Write) -> None:
    """JSON can spell one that no double holds."""
    path = write('[{"code": "x", "execution_time": 1e999}]')
    with pytest.raises(ScriptFileError, match="execution_time must not be negative nor infinite"):
        read_scripts(path)
