"""``buntime cassette show`` and ``buntime cassette check``."""

from __future__ import annotations

import json
import os
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


def _program(client: Buntime) -> None:
    with client.sessions.create(metadata={"purpose": "tests"}) as session:
        session.files.write("a folder/notes.txt", "é\nü\n")
        session.files.list("a folder")
        session.execute("first();\nsecond();", env={"DB_PASSWORD": "hunter2!"})
        with session.stream("stream()") as stream:
            list(stream)


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """Return a cassette with each kind of interaction."""
    path = tmp_path / "tape.json"
    with cassette(path, mode="record", source=_fake) as client:
        _program(client)
    return path


def _edited(path: Path, before: str, after: str) -> Path:
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), encoding="utf-8")
    return path


def _dated(path: Path, days: int) -> Path:
    """Make the cassette as many days old."""
    content = json.loads(path.read_text(encoding="utf-8"))
    changed = (date.fromisoformat(content["changed"]) - timedelta(days)).isoformat()
    return _edited(path, content["changed"], changed)


def test_show_lists_the_interactions(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In order, with texts of several lines unchanged, and without secrets."""
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
    expected = [
        "   >     first();",
        "   >     second();",
        "   >     é",
        "   < 200",
        '   > metadata.purpose: "tests"',
    ]
    assert set(expected) <= set(lines)
    assert any("DB_PASSWORD" in line and "hunter2!" not in line for line in lines)
    assert any("ms: stderr" in line and "two" in line for line in lines)


def test_show_lists_failed_connections(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the phase in which they failed."""
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


def test_show_lists_responses_of_every_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Text, bytes, and JSON other than an object; no IDs or secrets are detected in them."""
    bodies = {"/text": b"one\ntwo\n", "/bytes": b"\xff" * 10, "/list": b"[1, 2]"}
    path = tmp_path / "tape.json"
    source = FunctionTransport(lambda request: Response(200, (), [bodies[request.path]]))
    with cassette(path, mode="record", source=lambda: source) as client:
        for name in bodies:
            client.request("GET", name)
        client.request("POST", "/list", json=[{"passwords": ["one", "two"]}])
    assert 0 == main(["cassette", "show", str(path)])
    lines = capsys.readouterr().out.splitlines()
    assert ["   <     one", "   <     two"] == lines[lines.index("   < text:") + 1 :][:2]
    assert "   < base64: 10 bytes" in lines
    assert "   < [1, 2]" in lines
    assert 0 == main(["cassette", "check", str(path)])
    _edited(path, "«value:passwords»", "one")
    assert 1 == main(["cassette", "check", str(path)])
    assert "(request passwords)" in capsys.readouterr().out


def test_show_lists_several_files_and_folders(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One after the other."""
    other = tape.with_name("other.json")
    other.write_bytes(tape.read_bytes())
    assert 0 == main(["cassette", "show", str(tape.parent)])
    folder = capsys.readouterr().out
    assert 0 == main(["cassette", "show", str(other), str(tape)])
    assert sorted(folder.splitlines()) == sorted(capsys.readouterr().out.splitlines())


def test_show_of_an_invalid_cassette(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The error has its line and column."""
    path = tmp_path / "tape.json"
    path.write_text('{\n  "buntime_cassette": 1,\n', encoding="utf-8")
    assert 125 == main(["cassette", "show", str(path)])
    error = capsys.readouterr().err
    assert error.startswith("buntime: ")
    assert "tape.json is not a cassette: line 3, column 1" in error


def test_check_accepts_a_cassette(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A cassette as it was recorded has no findings."""
    assert 0 == main(["cassette", "check", "--max-age", "0", str(tape)])
    assert "1 cassette checked, no problems found\n" == capsys.readouterr().out


def test_check_reports_syntax_errors(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With line and column; then it continues with the next file."""
    other = tape.with_name("other.json")
    other.write_bytes(tape.read_bytes())
    _edited(tape, '  "changed"', "<<<<<<< ours\n  changed")
    assert 1 == main(["cassette", "check", str(tape), str(other)])
    output = capsys.readouterr().out
    assert f"{tape}: " in output
    assert "line 3, column 1: a merge conflict was left in it" in output
    assert f"{other}: " not in output
    assert output.endswith("2 cassettes checked, 1 problem found\n")


def test_check_continues_after_a_missing_file(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code is that of a failure, and the results of the other cassettes are printed."""
    empty = tape.parent / "empty"
    empty.mkdir()
    _edited(tape, '"purpose": "tests"', '"token": "12345"')
    assert 125 == main(["cassette", "check", str(empty), str(tape.with_name("none.json")), str(tape)])
    out, err = capsys.readouterr()
    assert "not hidden (request metadata token)" in out
    assert out.endswith("1 cassette checked, 1 problem found\n")
    assert (
        f"the folder {empty} has no cassettes (*.json); {tape.with_name('none.json')} does not exist" in err
    )


@pytest.mark.parametrize(
    ("before", "after", "position"),
    [
        ("first();", f"first('{GITHUB}');", "interaction 4, POST /execute, holds a GitHub token"),
        ("«env:DB_PASSWORD»", "hunter2!", "a value that is not hidden (request env DB_PASSWORD)"),
        ('"purpose": "tests"', '"token": "12345"', "not hidden (request metadata token)"),
        ('"path", "a folder"', '"api_key", "12345"', "not hidden (request query api_key)"),
    ],
)
def test_check_reports_secrets(
    tape: Path, capsys: pytest.CaptureFixture[str], before: str, after: str, position: str
) -> None:
    """Those added by hand; the report has the position but not the value."""
    _edited(tape, before, after)
    assert 1 == main(["cassette", "check", str(tape)])
    output = capsys.readouterr().out
    assert position in output
    assert GITHUB not in output
    assert "hunter2!" not in output
    assert "12345" not in output


def test_check_reports_a_secret_in_two_pieces(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They are two events of a stream."""
    text = '{"text": "one\\n"}'
    _edited(tape, text, f'{{"text": "{GITHUB[:20]}"}}], [1, "stdout", {{"text": "{GITHUB[20:]}"}}')
    assert 1 == main(["cassette", "check", str(tape)])
    assert "interaction 5, POST /execute, holds a GitHub token" in capsys.readouterr().out


def test_a_false_alarm_can_be_allowed(tape: Path) -> None:
    """By its prefix."""
    _edited(tape, "first();", f"first('{GITHUB}');")
    assert 0 == main(["cassette", "check", "--allow", GITHUB[:8], str(tape)])
    assert 1 == main(["cassette", "check", "--allow", "ghp_b", str(tape)])


def test_check_reports_old_cassettes(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Those unchanged for more days than allowed."""
    _dated(tape, 30)
    assert 0 == main(["cassette", "check", str(tape), "--max-age", "30"])
    capsys.readouterr()
    _dated(tape, 1)
    assert 1 == main(["cassette", "check", str(tape), "--max-age", "30"])
    assert "it last changed 31 days ago" in capsys.readouterr().out


def test_check_reports_interrupted_recordings(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Beside the cassette, in a folder argument, and if there are no other files."""
    tape.with_name("tape.json.part").write_text("")
    tape.with_name("new.json.part").write_text("")
    assert 1 == main(["cassette", "check", str(tape)])
    assert "interrupted" in capsys.readouterr().out
    assert 1 == main(["cassette", "check", str(tape.parent)])
    output = capsys.readouterr().out
    assert "tape.json.part" in output
    assert "new.json.part" in output


def test_what_is_not_a_file_is_not_a_cassette(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder may be named like a file, and to open a pipe would wait for its other end."""
    (tape.parent / "folder.json").mkdir()
    os.mkfifo(tape.parent / "pipe.json")
    assert 0 == main(["cassette", "check", str(tape.parent)])
    assert "1 cassette checked, no problems found" in capsys.readouterr().out
    (tape.parent / "link.json").symlink_to(tape.parent / "nowhere")
    assert 1 == main(["cassette", "check", str(tape.parent)])
    assert "link.json does not exist" in capsys.readouterr().out


def test_a_folder_without_cassettes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is an error, because no file was checked; so is a file that does not exist."""
    for command in ("check", "show", "upgrade", "scrub"):
        assert 125 == main(["cassette", command, str(tmp_path), "nope"])
        out, err = capsys.readouterr()
        assert ("", f"buntime: the folder {tmp_path} has no cassettes (*.json); nope does not exist\n") == (
            out,
            err,
        )


@pytest.mark.parametrize("arguments", [["view", "nope"], ["diff", "nope", "nope"], ["recover", "nope.part"]])
def test_a_missing_file(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """It is named, and nothing else is printed."""
    assert 125 == main(["cassette", *arguments])
    out, err = capsys.readouterr()
    assert ("", True) == (out, err.startswith(f"buntime: the cassette {arguments[1]} does not exist. "))


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
def test_an_invalid_command_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The error is one of argparse."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert 2 == caught.value.code
    assert "see buntime cassette" in capsys.readouterr().err


def test_upgrade_rewrites_cassettes_of_an_older_format(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Once, and only those."""
    old = Path(__file__).parents[1] / "cassette" / "format_1.json"
    (tmp_path / "x.json").write_bytes(old.read_bytes())
    assert 0 == main(["cassette", "upgrade", str(tmp_path)])
    assert f"{tmp_path / 'x.json'}: upgraded\n1 cassette of an older format\n" == capsys.readouterr().out
    assert '"buntime_cassette": 2' in (tmp_path / "x.json").read_text(encoding="utf-8")
    assert 0 == main(["cassette", "upgrade", str(tmp_path)])
    assert "no cassettes of an older format\n" == capsys.readouterr().out
