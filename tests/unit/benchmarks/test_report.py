"""A run as JSON, as tables, and as a page."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks import plot, report
from benchmarks.__main__ import main
from benchmarks.clients import NotInstalledError
from benchmarks.report import DOCS
from benchmarks.tables import LIMITS, Row, Table
from tests.docs.markdown import ROOT

ROUND_TRIP = Table(
    "round trip",
    "one <call>",
    "µs",
    "requests Session.post",
    (
        Row("buntime", (100.0, 110.0, 120.0)),
        Row("requests Session.post", (200.0, 220.0, 240.0)),
        Row("e2b", note="e2b is not installed"),
    ),
)
RUN = report.describe_run({"calls": [ROUND_TRIP]})


@pytest.fixture(scope="module")
def matplotlib(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Draw once before the tests: matplotlib does not close its font files."""
    pytest.importorskip("matplotlib", reason="matplotlib is in the dependency group bench")
    plot.draw(RUN, tmp_path_factory.mktemp("plot") / "plot.svg")


def test_a_run_is_written_as_json(tmp_path: Path) -> None:
    """Each row and each limit is one line."""
    report.write(RUN, tmp_path / "run.json")
    text = (tmp_path / "run.json").read_text(encoding="utf-8")
    assert RUN == json.loads(text)
    assert 4 == len(re.findall(r'^ +\{ "(?:name|table)": .*\}', text, re.MULTILINE))


def test_a_table_in_markdown() -> None:
    """A row has its figures, or the reason why it has none."""
    lines = report.row_table(ROUND_TRIP.figures()).splitlines()
    assert "One <call>; less is better; ratio to requests Session.post." == lines[0]
    assert "| buntime | 110 | 0.500 | 9% |" == re.sub(" +", " ", lines[4])
    assert "| e2b | e2b is not installed | | |" == re.sub(" +", " ", lines[6])


def test_limits_in_markdown() -> None:
    """Each limit has the measured value, the limit, and whether it was met."""
    table = report.limit_table(report.all_limits(RUN))
    *_, line = table.splitlines()
    expected = "| round trip: buntime | requests Session.post | 0.500 | ≤ 0.580 | met | | |"
    assert expected == re.sub(" +", " ", line)


def test_the_page_shows_the_results_file() -> None:
    """No figure of the page is written by hand, and the plot is of the same run."""
    results = json.loads((DOCS / "benchmarks.json").read_text(encoding="utf-8"))
    page = (DOCS / "benchmarks.md").read_text(encoding="utf-8")
    assert report.figures(results) in page
    assert f">{results['date']}<" in (DOCS / "benchmarks.svg").read_text(encoding="utf-8")


def test_the_page_shows_every_benchmark() -> None:
    """The results file has all benchmarks and all limits, and the page explains each benchmark."""
    results = json.loads((DOCS / "benchmarks.json").read_text(encoding="utf-8"))
    assert list(report.HEADINGS) == list(results["benchmarks"])
    assert len(LIMITS) == len(report.all_limits(results))
    page = (DOCS / "benchmarks.md").read_text(encoding="utf-8")
    assert list(report.HEADINGS) == re.findall(r"^\| `(\w+)` +\|", page, re.MULTILINE)


@pytest.mark.usefixtures("matplotlib")
def test_a_run_is_published(tmp_path: Path) -> None:
    """New figures replace the old ones of the same benchmark; other figures and the text stay."""
    for name in ("benchmarks.json", "benchmarks.md"):
        shutil.copy(DOCS / name, tmp_path)
    report.publish(RUN, tmp_path)
    results = json.loads((tmp_path / "benchmarks.json").read_text(encoding="utf-8"))
    assert list(report.HEADINGS) == list(results["benchmarks"])
    assert RUN["benchmarks"]["calls"] == results["benchmarks"]["calls"]
    page = (tmp_path / "benchmarks.md").read_text(encoding="utf-8")
    old = (DOCS / "benchmarks.md").read_text(encoding="utf-8")
    assert "One <call>; less is better" in page
    assert old.partition("<!-- begin")[0] == page.partition("<!-- begin")[0]


@pytest.mark.usefixtures("matplotlib")
def test_the_plot_has_a_bar_for_each_measured_row(tmp_path: Path) -> None:
    """Labels are text, so that they can be searched; rows without samples are not drawn."""
    plot.draw(RUN, tmp_path / "plot.svg")
    root = ET.parse(tmp_path / "plot.svg").getroot()
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"buntime", "110", "requests Session.post", "220", "one <call>"} <= set(texts)
    assert "e2b" not in texts


def test_a_plot_without_matplotlib_fails_with_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the dependency group and the session."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(NotInstalledError, match=r"matplotlib is not installed.*'bench', run nox -s bench"):
        plot.draw(RUN, tmp_path / "plot.svg")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "unknown benchmark: nothing; choose from import, first"),
        (["--quick", "--docs"], "the benchmarks page shows full runs only"),
        (["--output", "missing/run.json"], "there is no folder"),
    ],
)
def test_wrong_arguments_are_refused(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code is 2, before anything is measured."""
    with pytest.raises(SystemExit) as error:
        main(arguments)
    assert 2 == error.value.code
    assert message in capsys.readouterr().err


def test_the_bench_group_has_every_peer() -> None:
    """Packages that the benchmarks import are installed by the dependency group."""
    sources = [file.read_text(encoding="utf-8") for file in (ROOT / "benchmarks").glob("*.py")]
    modules = {name for source in sources for name in re.findall(r"import_peer\(\"(\w+)", source)}
    packages = {"vcr": "vcrpy", "sseclient": "sseclient-py", "urllib3": "requests"}
    names = {packages.get(name, name.replace("_", "-")) for name in modules}
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    group = text.partition("\nbench = [\n")[2].partition("\n]")[0]
    assert names - {"requests"} == set(re.findall(r'^    "([\w-]+) >=', group, re.MULTILINE))
