"""A run, written down and shown."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks import pages
from benchmarks.__main__ import main
from benchmarks.plots import plot
from benchmarks.registry import BENCHMARKS
from benchmarks.report import Run, from_json, to_json
from benchmarks.results import Row, Table
from benchmarks.targets import verdicts
from benchmarks.text import of_table, of_verdicts
from tests.docs.markdown import DOCS, ROOT

TABLES = (
    Table(
        "round trip",
        "one <call>",
        "µs",
        "requests Session.post",
        (
            Row("buntime", (100.0, 110.0, 120.0)),
            Row("requests Session.post", (200.0, 220.0, 240.0)),
            Row("e2b", note="not installed: pip install 'buntime[bench]'"),
        ),
        benchmark="calls",
    ),
    Table(
        "threads",
        "threads",
        "calls/s",
        "urllib3, 1 thread",
        (
            Row("buntime, 1 thread", (900.0,)),
            Row("urllib3, 1 thread", (1000.0,)),
            Row("buntime, 2 threads", (700.0,), reference="urllib3, 2 threads"),
            Row("urllib3, 2 threads", (1000.0,)),
        ),
        more_is_better=True,
        benchmark="threads",
    ),
)
RUN = Run(
    "2031-02-03T04:05+00:00",
    "full",
    {"processor": "CPU", "cores": "2", "load": "0.1", "system": "Linux", "python": "CPython 3.11"},
    {"buntime": "0.1.0"},
    TABLES,
)


def test_a_run_is_read_as_it_was_written() -> None:
    """JSON keeps everything that tables and verdicts are made of."""
    assert RUN == from_json(to_json(RUN))


def test_a_table_in_text() -> None:
    """It has each row with its figures, or why there are none."""
    lines = of_table(TABLES[0]).splitlines()
    assert "one <call>; ratio to requests Session.post" == lines[0]
    assert ["buntime", "110", "0.50", "9%"] == lines[2].split()
    assert "e2b" in lines[4]
    assert lines[4].endswith("not installed: pip install 'buntime[bench]'")


def test_verdicts_in_text() -> None:
    """Each target has what was measured, its limit, and whether it was met."""
    (line,) = of_verdicts(verdicts(TABLES[:1])).splitlines()[1:]
    assert re.search(r"buntime / requests Session.post\s+0.500\s+<= 0.580\s+met$", line)


def test_a_plot_is_an_image_for_light_and_dark_pages() -> None:
    """It has a bar for each row that was measured, and a line for each caller in threads."""
    drawn = plot(TABLES)
    root = ET.fromstring(drawn)
    bars = [
        one for one in root.iter("{http://www.w3.org/2000/svg}rect") if one.get("class") in {"own", "bar"}
    ]
    lines = [
        one for one in root.iter("{http://www.w3.org/2000/svg}path") if "line" in (one.get("class") or "")
    ]
    assert (2, 2) == (len(bars), len(lines))
    assert "prefers-color-scheme: dark" in drawn


def test_a_plot_of_nothing_is_one() -> None:
    """Where only other benchmarks were run."""
    assert ET.fromstring(plot(())).tag.endswith("svg")


def test_the_page_shows_the_run_that_is_kept(tmp_path: Path) -> None:
    """Making the page anew changes nothing: no figure in it is written by hand."""
    names = ("benchmarks.json", "benchmarks.md", "benchmarks.svg")
    for name in names:
        shutil.copy(DOCS / name, tmp_path)
    pages.render(tmp_path)
    assert [(DOCS / name).read_bytes() for name in names] == [
        (tmp_path / name).read_bytes() for name in names
    ]


def test_the_page_shows_every_benchmark() -> None:
    """The run that is kept is a whole one, and the page names each benchmark as the command does."""
    run = from_json((DOCS / "benchmarks.json").read_text(encoding="utf-8"))
    assert "full" == run.effort
    assert list(BENCHMARKS) == list(dict.fromkeys(table.benchmark for table in run.tables))
    page = (DOCS / "benchmarks.md").read_text(encoding="utf-8")
    assert set(BENCHMARKS) == set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))


def test_a_page_is_written(tmp_path: Path) -> None:
    """With the run, its tables and its plot, and what stands around the figures left alone."""
    page = tmp_path / "benchmarks.md"
    page.write_text("before\n<!-- begin figures -->\nold\n<!-- end figures -->\nafter\n", encoding="utf-8")
    pages.write(to_json(RUN), tmp_path)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n<!-- begin figures -->\n\nMeasured on 2031-02-03")
    assert text.endswith("<!-- end figures -->\nafter\n")
    assert "\n| buntime | 110 | 0.50 | 9% |\n" in text
    assert "old" not in text
    assert RUN == from_json((tmp_path / "benchmarks.json").read_text(encoding="utf-8"))
    assert plot(TABLES) == (tmp_path / "benchmarks.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("arguments", [["nothing"], ["calls", "--docs"], ["--quick", "--docs"]])
def test_what_makes_no_sense_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The message says what there is."""
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert 2 == exit_.value.code
    assert "benchmark" in capsys.readouterr().err


def test_the_extra_has_every_peer() -> None:
    """What the benchmarks import of others, setup.cfg installs."""
    sources = [file.read_text(encoding="utf-8") for file in (ROOT / "benchmarks").glob("*.py")]
    modules = {name for source in sources for name in re.findall(r"peer\(\"(\w+)\"\)", source)}
    packages = {"vcr": "vcrpy", "sseclient": "sseclient-py", "urllib3": "requests"}
    wanted = {packages.get(name, name.replace("_", "-")) for name in modules}
    extra = (
        (ROOT / "setup.cfg").read_text(encoding="utf-8").partition("\nbench =\n")[2].partition("\ndocs =")[0]
    )
    assert wanted - {"requests"} == set(re.findall(r"^    ([\w-]+) >=", extra, re.MULTILINE))
