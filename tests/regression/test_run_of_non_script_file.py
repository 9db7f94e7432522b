"""``buntime run notes.txt`` ran nothing and ended with exit code 0."""

from __future__ import annotations

from pathlib import Path

import pytest

from buntime.cli.main import main


@pytest.mark.parametrize("name", ["notes.txt", "a.json", "a.js.bak", "a.sh"])
def test_a_file_that_bun_does_not_run_is_rejected(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message lists the accepted suffixes."""
    monkeypatch.setenv("BUNTIME_ISOLATION", "none")
    program = tmp_path / name
    program.write_text("console.log(1)")
    assert 125 == main(["run", "--local", str(program)])
    out, err = capsys.readouterr()
    assert "" == out
    assert f"{program} is neither JavaScript nor TypeScript by its name" in err
    assert ".cjs, .cts, .js, .jsx, .mjs, .mts, .ts, .tsx" in err


@pytest.mark.parametrize(
    "name", ["a.js", "a.mjs", "a.cjs", "a.jsx", "a.ts", "a.mts", "a.cts", "a.tsx", "A.TS", "program"]
)
def test_every_other_file_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All script suffixes run, as does a file without a suffix."""
    monkeypatch.setenv("BUNTIME_ISOLATION", "none")
    program = tmp_path / name
    program.write_text("console.log(1)")
    assert 0 == main(["run", "--local", str(program)])
    assert "1\n" == capsys.readouterr().out
