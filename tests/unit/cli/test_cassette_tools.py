"""``buntime cassette diff``, ``view``, ``scrub``, ``prune``, and the machine-readable forms of ``show``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from buntime import Buntime
from buntime.cli.main import main
from buntime.testing import cassette
from tests.support.cassettes import fake, record, replay

PASSWORD = "hunter2-hunter2"


def _program(client: Buntime) -> str:
    with client.sessions.create() as session:
        return session.execute("one();\ntwo();").stdout


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """Return a cassette of one execution."""
    path = tmp_path / "tape.json"
    record(path, _program)
    return path


def test_show_json(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each file is a line, whose texts are strings."""
    assert 0 == main(["cassette", "show", "--json", str(tape), str(tape)])
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first == second
    assert str(tape) == first["file"]
    assert "one();\ntwo();" == first["interactions"][1]["request"]["json"]["code"]


def test_textconv_of_git(tape: Path, tmp_path: Path) -> None:
    """``git diff`` compares listings, as the documentation describes it, without names of temporary files."""
    command = f"{sys.executable} -m buntime cassette show --textconv"

    def git(*arguments: str) -> str:
        options = (
            "-c",
            "user.name=x",
            "-c",
            "user.email=x@example.com",
            "-c",
            f"diff.buntime.textconv={command}",
        )
        done = subprocess.run(
            ["git", *options, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return done.stdout

    git("init", "-q")
    (tmp_path / ".gitattributes").write_text("*.json diff=buntime\n")
    git("add", ".")
    git("commit", "-qm", "x")
    tape.write_text(tape.read_text().replace("two();", "three();"))
    lines = [
        line for line in git("diff").splitlines() if line[:1] in {"+", "-"} and line[:3] not in {"+++", "---"}
    ]
    assert 2 == len(lines)
    assert "two();" in lines[0]
    assert "three();" in lines[1]
    # A file that is not a cassette, due to a merge conflict for instance, is shown as it is.
    tape.write_text(f"<<<<<<< HEAD\n{tape.read_text()}")
    assert "\n+<<<<<<< HEAD\n" in git("diff")


def test_diff(tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It prints the changed lines, but no times, and reports a difference by its exit code."""
    other = tmp_path / "other.json"
    record(other, _program)
    assert 0 == main(["cassette", "diff", str(tape), str(other)])
    assert "" == capsys.readouterr().out
    record(other, _program, fake(stdout="changed\n"))
    assert 1 == main(["cassette", "diff", str(tape), str(other)])
    lines = capsys.readouterr().out.splitlines()
    assert ["done", "changed"] == [
        line.split('"')[3][:-2] for line in lines if line[1:].strip().startswith('"stdout')
    ]


def test_view(tape: Path, tmp_path: Path) -> None:
    """It writes one file; also of the recording of a killed program."""
    page = tmp_path / "page.html"
    assert 0 == main(["cassette", "view", str(tape), "-o", str(page)])
    assert "tape.json" in page.read_text("utf-8")
    with cassette(tmp_path / "x.json", mode="record", source=fake) as client:
        _program(client)
        assert 0 == main(["cassette", "view", str(tmp_path / "x.json.part"), "-o", str(page)])
    assert "two();" in page.read_text("utf-8")


def test_view_opens_a_browser(
    tape: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a name, the page is a temporary file."""
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    assert 0 == main(["cassette", "view", str(tape)])
    page = Path(capsys.readouterr().out.strip())
    assert [page.as_uri()] == opened
    page.unlink()


def _leaky(client: Buntime, **metadata: str) -> str:
    with client.sessions.create(metadata=metadata or {"purpose": "x"}) as session:
        return session.execute("1", env={"DB": "postgres"}).stdout


def test_scrub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Values of variables and of fields named like secrets get placeholders; the cassette still replays."""
    path = tmp_path / "x.json"
    record(path, _leaky, fake(stdout=f"connected as {PASSWORD}\n"))
    path.write_text(path.read_text().replace('"purpose": "x"', '"api_token": "abc-def-ghi"'))
    monkeypatch.setenv("OLD_PASSWORD", PASSWORD)
    assert 0 == main(["cassette", "scrub", "--env", "OLD_PASSWORD", str(path)])
    text = path.read_text(encoding="utf-8")
    assert PASSWORD not in text
    assert "abc-def-ghi" not in text
    assert "connected as «env:OLD_PASSWORD»" in text
    assert 0 == main(["cassette", "check", str(path)])
    assert "connected as" in replay(path, lambda client: _leaky(client, api_token="made-up"))
    before = path.read_bytes()
    assert 0 == main(["cassette", "scrub", "--env", "OLD_PASSWORD", str(path)])
    assert before == path.read_bytes()
    assert "no cassettes changed, nothing left" in capsys.readouterr().out


def test_scrub_reports_remaining_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A well-known key in a program cannot be replaced, as the program would not replay."""
    path = tmp_path / "x.json"
    record(path, _program)
    path.write_text(path.read_text().replace("two();", "call('ghp_" + "a1B2" * 9 + "');"))
    assert 1 == main(["cassette", "scrub", str(path)])
    assert "GitHub" in capsys.readouterr().out
    assert 125 == main(["cassette", "scrub", "--env", "NOT_SET_ANYWHERE", str(path)])


def test_scanner(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The package detect-secrets looks at the files, too; a false alarm can be allowed."""
    pytest.importorskip("detect_secrets")
    assert 0 == main(["cassette", "check", "--scanner=detect-secrets", str(tape)])
    key = "AKIA" + "IOSFODNN7EXAMPL3"
    tape.write_text(tape.read_text().replace("two();", f"const aws_key = '{key}';"))
    assert 1 == main(["cassette", "check", "--scanner=detect-secrets", str(tape)])
    assert "AWS Access Key (by detect-secrets)" in capsys.readouterr().out
    assert 0 == main(["cassette", "check", "--scanner=detect-secrets", f"--allow={key}", str(tape)])


def test_scanner_that_is_not_installed(
    tape: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error names the package."""
    monkeypatch.setitem(sys.modules, "detect_secrets", None)
    assert 125 == main(["cassette", "check", "--scanner=detect-secrets", str(tape)])
    assert "pip install detect-secrets" in capsys.readouterr().err


def test_prune(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Cassettes without a test are removed, unless the tests cannot be collected."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_PLUGINS", "buntime.pytest_plugin.plugin")
    (tmp_path / "test_it.py").write_text("def test_one(buntime_client): pass\n")
    folder = tmp_path / "cassettes" / "test_it"
    for name in ("test_one", "test_two", "_module"):
        record(folder / f"{name}.json", _program)
    (folder / "other.json").write_text("{}")
    assert 0 == main(["cassette", "prune", "--dry-run"])
    assert 4 == len(list(folder.iterdir()))
    (tmp_path / "test_broken.py").write_text("import nothing_like_that\n")
    assert 125 == main(["cassette", "prune"])
    assert "nothing_like_that" in capsys.readouterr().err
    (tmp_path / "test_broken.py").unlink()
    assert 0 == main(["cassette", "prune"])
    assert {"test_one.json", "_module.json", "other.json"} == {path.name for path in folder.iterdir()}
    assert "test_two.json\n1 cassette without a test, removed" in capsys.readouterr().out
    assert 0 == main(["cassette", "prune"])
    assert "no cassettes without a test" in capsys.readouterr().out
