"""``buntime cassette show`` and ``buntime cassette check``."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from buntime import APIConnectionError, Buntime
from buntime.cli.main import main
from buntime.testing import cassette
from buntime.transport import FakeTransport, FunctionTransport, Response

GITHUB = "ghp_" + "a1B2" * 9


def _fake() -> FakeTransport:
    fake = FakeTransport()
    fake.on_execute(contains="", chunks=[("stdout", "one\n"), ("stderr", "two\n")])
    return fake


def _calls(client: Buntime) -> None:
    with client.sessions.create(metadata={"purpose": "tests"}) as session:
        session.files.write("a folder/notes.txt", "é\nü\n")
        session.files.list("a folder")
        session.execute("first();\nsecond();", env={"DB_PASSWORD": "hunter2!"})
        with session.stream("stream()") as stream:
            list(stream)


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """Return a cassette with a call of each kind."""
    path = tmp_path / "tape.json"
    with cassette(path, mode="record", source=_fake) as client:
        _calls(client)
    return path


def _edited(path: Path, before: str, after: str) -> Path:
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), encoding="utf-8")
    return path


def _dated(path: Path, days: int) -> Path:
    """Make a cassette that many days old."""
    content = json.loads(path.read_text(encoding="utf-8"))
    changed = (date.fromisoformat(content["changed"]) - timedelta(days)).isoformat()
    return _edited(path, content["changed"], changed)


def test_show_lists_the_interactions(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In their order, with texts of several lines as they are, and no secret."""
    assert 0 == main(["cassette", "show", str(tape)])
    lines = capsys.readouterr().out.splitlines()
    assert f"{tape}: 6 interactions, last changed on " == lines[0][:-10]
    numbered = [line for line in lines if line[:1].isdigit()]
    assert [
        "1. POST /sessions/create",
        "2. POST /files/write",
        "3. GET /files/list?sessionId=ses_1&path=a folder&limit=100&offset=0",
        "4. POST /execute",
        "5. POST /execute",
        "6. DELETE /sessions/ses_1",
    ] == numbered
    wanted = [
        "   >   first();",
        "   >   second();",
        "   >   é",
        "   < 200",
        '   > metadata: {"purpose": "tests"}',
    ]
    assert set(wanted) <= set(lines)
    assert any("DB_PASSWORD" in line and "hunter2!" not in line for line in lines)
    assert any("ms: stderr" in line and "two" in line for line in lines)


def test_show_has_failed_connections(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And says where they broke."""
    path = tmp_path / "tape.json"
    fake = _fake()
    fake.fail_next("dropped", call="POST /execute")
    with cassette(path, mode="record", source=lambda: fake) as client:
        session = client.sessions.create()
        with pytest.raises(APIConnectionError):
            session.execute("1")
    assert 0 == main(["cassette", "show", str(path)])
    assert "   < connection failed (read): " in capsys.readouterr().out
    assert 0 == main(["cassette", "check", str(path)])


def test_show_has_answers_of_every_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Text, bytes, and JSON that is no object; nothing is found in them."""
    bodies = {"/text": b"one\ntwo\n", "/bytes": b"\xff" * 9, "/list": b"[1, 2]"}
    path = tmp_path / "tape.json"
    source = FunctionTransport(lambda request: Response(200, (), [bodies[request.path]]))
    with cassette(path, mode="record", source=lambda: source) as client:
        for name in bodies:
            client.request("GET", name)
        client.request("POST", "/list", json=[{"passwords": ["one", "two"]}])
    assert 0 == main(["cassette", "show", str(path)])
    lines = capsys.readouterr().out.splitlines()
    assert ["   <   one", "   <   two"] == lines[lines.index("   < text:") + 1 :][:2]
    assert "   < 9 bytes" in lines
    assert "   < [1, 2]" in lines
    assert 0 == main(["cassette", "check", str(path)])
    _edited(path, "«value:passwords»", "one")
    assert 1 == main(["cassette", "check", str(path)])
    assert "(request passwords)" in capsys.readouterr().out


def test_show_has_several_files_and_folders(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One after the other."""
    other = tape.with_name("other.json")
    other.write_bytes(tape.read_bytes())
    assert 0 == main(["cassette", "show", str(tape.parent)])
    folder = capsys.readouterr().out
    assert 0 == main(["cassette", "show", str(other), str(tape)])
    assert sorted(folder.splitlines()) == sorted(capsys.readouterr().out.splitlines())


def test_show_of_what_is_no_cassette(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Is an error with its place."""
    path = tmp_path / "tape.json"
    path.write_text('{\n  "buntime_cassette": 1,\n', encoding="utf-8")
    assert 125 == main(["cassette", "show", str(path)])
    error = capsys.readouterr().err
    assert error.startswith("buntime: ")
    assert "tape.json is not a cassette: line 3, column 1" in error


def test_check_finds_nothing(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In a cassette as it was recorded."""
    assert 0 == main(["cassette", "check", "--max-age", "0", str(tape)])
    assert "1 cassette checked, nothing found\n" == capsys.readouterr().out


def test_check_finds_what_does_not_parse(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By line and column, and goes on with the next file."""
    other = tape.with_name("other.json")
    other.write_bytes(tape.read_bytes())
    _edited(tape, '  "changed"', "<<<<<<< ours\n  changed")
    assert 1 == main(["cassette", "check", str(tape), str(other), str(tape.with_name("none.json"))])
    shown = capsys.readouterr().out
    assert f"{tape}: " in shown
    assert "line 3, column 1: a merge conflict was left in it" in shown
    assert "there is no cassette" in shown
    assert f"{other}: " not in shown
    assert shown.endswith("3 cassettes checked, 2 found\n")


@pytest.mark.parametrize(
    ("before", "after", "place"),
    [
        ("first();", f"first('{GITHUB}');", "interaction 4, POST /execute, holds a GitHub token"),
        ("«env:DB_PASSWORD»", "hunter2!", "a value that is not hidden (request env DB_PASSWORD)"),
        ('"purpose": "tests"', '"token": "12345"', "not hidden (request metadata token)"),
        ('"path", "a folder"', '"api_key", "12345"', "not hidden (request api_key)"),
    ],
)
def test_check_finds_secrets(
    tape: Path, capsys: pytest.CaptureFixture[str], before: str, after: str, place: str
) -> None:
    """Those that got in by hand; it names the place and not the value."""
    _edited(tape, before, after)
    assert 1 == main(["cassette", "check", str(tape)])
    shown = capsys.readouterr().out
    assert place in shown
    assert GITHUB not in shown
    assert "hunter2!" not in shown
    assert "12345" not in shown


def test_check_finds_a_secret_in_two_pieces(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the output of a stream."""
    text = '{"text": "one\\n"}'
    _edited(tape, text, f'{{"text": "{GITHUB[:20]}"}}], [1, "stdout", {{"text": "{GITHUB[20:]}"}}')
    assert 1 == main(["cassette", "check", str(tape)])
    assert "interaction 5, POST /execute, holds a GitHub token" in capsys.readouterr().out


def test_a_false_alarm_can_be_allowed(tape: Path) -> None:
    """By how it begins."""
    _edited(tape, "first();", f"first('{GITHUB}');")
    assert 0 == main(["cassette", "check", "--allow", GITHUB[:8], str(tape)])
    assert 1 == main(["cassette", "check", "--allow", "ghp_b", str(tape)])


def test_check_finds_old_cassettes(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """That did not change for more days than allowed."""
    _dated(tape, 30)
    assert 0 == main(["cassette", "check", str(tape), "--max-age", "30"])
    capsys.readouterr()
    _dated(tape, 1)
    assert 1 == main(["cassette", "check", str(tape), "--max-age", "30"])
    assert "it last changed 31 days ago" in capsys.readouterr().out


def test_check_finds_interrupted_recordings(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Beside the cassette, in a folder that was named, and where there is nothing else."""
    tape.with_name("tape.json.part").write_text("")
    tape.with_name("new.json.part").write_text("")
    assert 1 == main(["cassette", "check", str(tape)])
    assert "interrupted" in capsys.readouterr().out
    assert 1 == main(["cassette", "check", str(tape.parent)])
    shown = capsys.readouterr().out
    assert "tape.json.part" in shown
    assert "new.json.part" in shown


def test_a_folder_without_cassettes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Is a mistake, as nothing was checked."""
    assert 125 == main(["cassette", "check", str(tmp_path)])
    assert f"there is no cassette in {tmp_path}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["cassette"],
        ["cassette", "play"],
        ["cassette", "check"],
        ["cassette", "check", "x.json", "--max-age", "soon"],
        ["cassette", "check", "x.json", "--max-age", "-1"],
    ],
)
def test_a_wrong_command_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """It is argparse's error."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert 2 == caught.value.code
    assert "usage: buntime cassette" in capsys.readouterr().err
