"""The error for a blocked secret named only the kind of call, and ``recover`` left the call out silently."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from buntime import Buntime, CassetteError
from buntime.cassette.file import load
from buntime.cli.main import main
from buntime.transport import FakeTransport, RecordingTransport
from tests.support.cases import in_one_test

KEY = "ghp_" + "a1B2" * 9
CODES = ["one()", f"use('{KEY}')", "two()\nthree()", "print()", "four()"]
PLACES = [
    "interaction 3, POST /execute, holds a GitHub token (request code)",
    "interaction 5, POST /execute 'print()', holds a GitHub token (response stdout)",
]


def recording(path: Path) -> RecordingTransport:
    """Return a recording of five executions; the second sends a key, and the fourth prints one."""
    fake = FakeTransport()
    fake.on_execute("print()", stdout=KEY)
    fake.on_execute(lambda _: True, stdout="done")
    transport = RecordingTransport(path, fake)
    session = Buntime("btk_123", transport=transport).sessions.create()
    for code in CODES:
        session.execute(code)
    return transport


def test_error_names_the_interaction(tmp_path: Path) -> None:
    """Its number, and what it runs unless that holds the key."""
    with pytest.raises(CassetteError) as caught:
        recording(tmp_path / "x.json").close()
    for expected in PLACES:
        assert f"blocked: {expected}" in str(caught.value)
    assert KEY not in str(caught.value)


def test_undone_interaction_blocks_nothing(tmp_path: Path) -> None:
    """A test that is repeated without the key can be recorded."""
    transport = recording(tmp_path / "x.json")
    transport.rewind(2)
    transport.close()
    assert 2 == len(load(tmp_path / "x.json").interactions)


@in_one_test(("options", "form"), [([], str), (["--json"], json.loads)])
def test_recover_reports_what_is_missing(
    options: list[str], form: type, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The others are recovered, and the exit code is 1."""
    transport = recording(tmp_path / "x.json")
    part = tmp_path / "x.json.part"
    content = part.read_bytes()
    transport.discard()
    part.write_bytes(content)

    assert 1 == main(["cassette", "check", str(part)])
    assert "an interrupted recording left x.json.part" in capsys.readouterr().out
    assert 1 == main(["cassette", "recover", *options, str(part)])
    output = form(capsys.readouterr().out)
    missing = output["missing"] if isinstance(output, dict) else output
    assert all(expected in missing for expected in PLACES)
    assert 4 == len(load(tmp_path / "x.json").interactions)
    (tmp_path / "x.json").unlink()


def test_recover_of_a_missing_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The advice is not to record into a file of that name."""
    assert main(["cassette", "recover", str(tmp_path / "no.json.part")])
    assert "does not exist" in (error := capsys.readouterr().err)
    assert "record:" not in error
