"""The code in the documentation runs, on a real Bun on this machine."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from buntime import Buntime
from tests.docs.markdown import DOCS, PAGES, README, ROOT, Block, blocks, examples
from tests.support.cases import in_one_test
from tests.support.serving import buntime_serve

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sandboxes need Linux")

_WITH_CODE = [page for page in PAGES if list(examples(page))]


@pytest.mark.parametrize("page", _WITH_CODE, ids=lambda page: page.name)
def test_code_runs_and_prints_the_output_shown(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The blocks of a page run one after the other, and a text block is the output of the block before."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BUNTIME_TRANSPORT", "local")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "documentation"}
    try:
        for block, expected in examples(page):
            printed = _run(page, block, names)
            if expected is not None:
                assert expected == printed, f"{page.name}:{block.line} prints something else"
    finally:
        for value in names.values():
            if isinstance(value, Buntime):
                value.close()


def _run(page: Path, block: Block, names: dict[str, object]) -> str:
    # The empty lines give tracebacks the line numbers of the page.
    code = compile("\n" * (block.line - 1) + block.body, str(page), "exec")
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(code, names)
    return printed.getvalue()


@in_one_test("page", PAGES, ids=lambda page: page.name)
def test_code_fits_a_narrow_window(page: Path) -> None:
    """A line of code has at most 88 characters."""
    kinds = {"python", "sh", "ts", "js", "json", "yaml", "dockerfile", "toml", "ini"}
    lines = [line for block in blocks(page) if block.kind in kinds for line in block.body.splitlines()]
    # The two lines of a checkout stay two lines.
    assert [line for line in lines if len(line) > 88 and ".venv/bin/" not in line] == []


def test_every_page_with_code_is_run() -> None:
    """Every page with code is in the list of this test, so that the parser misses none."""
    names = {page.name for page in _WITH_CODE}
    assert {"README.md", "index.md", "executing.md", "streaming.md", "files.md", "errors.md"} <= names


@pytest.fixture(scope="module")
def worked_example() -> str:
    """Return the output of the worked example on this machine."""
    return _python(str(DOCS / "examples" / "process_data.py")).stdout


def test_worked_example_processes_the_data(worked_example: str) -> None:
    """The worked example prints the results, the figures and the files, and deletes its session."""
    lines = worked_example.splitlines()
    assert ["Average age: 30", "Oldest: Charlie"] == lines[:2]
    labels = ["Execution time", "Memory used", "Files", "Deleted"]
    assert labels == [line.partition(":")[0] for line in lines[2:]]
    assert float(lines[2].split()[2]) > 0
    assert int(lines[3].split()[2]) > 0
    assert "Files: data.csv, process.ts" == lines[4]


def test_worked_example_is_the_same_over_http_and_on_a_fake(worked_example: str) -> None:
    """The output is the same on a running server and on a scripted fake, except for figures."""
    fake = _python(str(DOCS / "examples" / "process_data_on_fake.py")).stdout
    with buntime_serve() as server:
        environment = {"BUNTIME_TRANSPORT": "http", "BUNTIME_BASE_URL": server.url, "BUNTIME_API_KEY": "any"}
        http = _python(str(DOCS / "examples" / "process_data.py"), environment=environment).stdout

    assert _without_figures(worked_example) == _without_figures(fake) == _without_figures(http)
    assert "Average age: 30\nOldest: Charlie\n" in worked_example


def _without_figures(output: str) -> str:
    return re.sub(r"(ses_)\w+|[\d.]+(?= (?:ms|bytes))", r"\1...", output)


def test_worked_example_is_shown_with_its_output(worked_example: str) -> None:
    """The quick start shows the output of the worked example, whatever the figures."""
    page = blocks(DOCS / "start" / "quickstart.md")
    block = next(block for block in page if block.kind == "text" and "Average age" in block.body)
    assert _labels(worked_example) == _labels(block.body)


def _labels(output: str) -> list[str]:
    return [line.partition(":")[0] for line in output.splitlines()]


def test_agent_corrects_its_module() -> None:
    """The example of an agent reads the failure of its test, and tries again."""
    expected = ["write: done", "write: done", "execute: failed", "write: done", "execute: done"]
    ran = _python(str(DOCS / "examples" / "recipes" / "coding_agent.py"))
    assert [*expected, "slug.ts passes its test."] == ran.stdout.splitlines()


def test_command_line_of_the_readme_runs() -> None:
    """The README's command line prints a version of Bun."""
    line = next(
        block.body for block in blocks(README) if block.kind == "sh" and "buntime run" in block.body
    ).strip()
    assert "BUNTIME_TRANSPORT=local buntime run -e 'console.log(Bun.version)'" == line
    ran = _python("-m", "buntime", "run", "-e", "console.log(Bun.version)")
    assert ran.stdout[0].isdigit()


def _python(
    *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={
            **os.environ,
            "BUNTIME_TRANSPORT": "local",
            "PYTHONPATH": str(ROOT),
            **(environment or {}),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
