"""The plot of the benchmarks page, drawn with matplotlib."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

from benchmarks.clients import import_peer
from benchmarks.tables import number

_PANELS = (
    *("import", "first call", "round trip", "threads", "stream, 64 KB events", "stream, small events"),
    *("load", "replay", "record", "local"),
)
_NOT_DRAWN = "http.client, not parsed"
_OURS, _OTHERS = "#e0457b", "#b4bcc5"
_LOGARITHMIC = 300.0
"""If the largest value is more than this many times the smallest, the scale is logarithmic."""
_STYLE = {"svg.fonttype": "none", "svg.hashsalt": "buntime", "font.size": 8, "axes.titlesize": 8}


def draw(results: Mapping[str, Any], path: Path) -> None:
    """Draw the medians of a run, as an SVG file."""
    matplotlib, figures = import_peer("matplotlib"), import_peer("matplotlib.figure")
    tables = {table["name"]: table for group in results["benchmarks"].values() for table in group}
    with matplotlib.rc_context(_STYLE):
        figure = figures.Figure(figsize=(10, 11), layout="constrained")
        note = "Medians of interleaved rounds. The dashed mark is the limit of buntime's median."
        figure.supxlabel(note, fontsize=8, color="gray")
        axes = figure.subplots(len(_PANELS) // 2, 2).flat
        for axis, name in zip(axes, _PANELS):
            axis.set_axis_off()
            if name in tables:
                _draw_bars(axis, tables[name])
        metadata = {"Date": None, "Title": "buntime and its peers", "Description": results["date"]}
        figure.savefig(path, format="svg", metadata=metadata)


def _draw_bars(axis: Any, table: Mapping[str, Any]) -> None:
    rows = [row for row in table["rows"] if row["median"] is not None and row["name"] != _NOT_DRAWN]
    medians = [row["median"] for row in rows]
    colors = [_OURS if "buntime" in row["name"] else _OTHERS for row in rows]
    axis.barh(range(len(rows)), medians, color=colors)
    axis.invert_yaxis()
    if max(medians, default=0) > _LOGARITHMIC * min(medians, default=0) > 0:
        axis.set_xscale("log")
    for y, row in enumerate(rows):
        limit = _limit_in_unit(table, row["name"])
        if limit is not None:
            axis.vlines(limit, y - 0.5, y + 0.5, color="black", linestyle="--", linewidth=1.2)
        axis.text(-0.02, y, row["name"], transform=axis.get_yaxis_transform(), ha="right", va="center")
        end = (max(row["median"], limit or 0), y)
        axis.annotate(number(row["median"]), end, (4, 0), textcoords="offset points", va="center")
    better = "more is better" if table["more_is_better"] else "less is better"
    scale = ", logarithmic" if axis.get_xscale() == "log" else ""
    axis.set_title(f"{table['title']}\n{table['unit']}, {better}{scale}", loc="left", x=-0.6)


def _limit_in_unit(table: Mapping[str, Any], name: str) -> Optional[float]:
    """Return the median that would just keep the strictest limit of a row, or ``None`` without a limit."""
    medians = {"": 1.0, **{row["name"]: row["median"] for row in table["rows"]}}
    limits = [
        limit["limit"] * medians[limit["reference"]]
        for limit in table["limits"]
        if limit["row"] == name and limit["limit"] is not None
    ]
    return (max if table["more_is_better"] else min)(limits, default=None)
