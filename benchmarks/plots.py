"""The figures of a run as one SVG, which looks right on a light and on a dark page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from xml.sax.saxutils import escape

import attrs

from benchmarks.results import Row, Table
from benchmarks.targets import bound
from benchmarks.text import number, times

_WIDTH, _GAP, _PADDING = 460, 16, 16
_HEAD, _LINE, _BAR = 48, 22, 13
_LABELS, _BARS = 210, 136
_LOGARITHMIC = 300.0
"""How many times the shortest bar the longest may be, on a linear scale."""
_STYLE = """
  text { font: 12px system-ui, -apple-system, 'Segoe UI', Roboto, Arial, sans-serif; fill: #24292f }
  .card { fill: #ffffff; stroke: #d8dee4 }
  .title { font-weight: 600; font-size: 13px }
  .quiet { fill: #656d76; font-size: 11px }
  .legend { fill: #7d8590; font-size: 11px }
  .bar { fill: #c9d1d9 }
  .own { fill: #e0457b }
  .name { font-weight: 600 }
  .line { fill: none; stroke: #8c959f; stroke-width: 2 }
  .dot { fill: #8c959f }
  .own-line { fill: none; stroke: #e0457b; stroke-width: 2.5 }
  .axis { stroke: #d8dee4 }
  .target { stroke: #24292f; stroke-width: 1.5; stroke-dasharray: 3 2 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .card { fill: #161b22; stroke: #30363d }
    .quiet { fill: #8d96a0 }
    .bar { fill: #484f58 }
    .own { fill: #f778a8 }
    .own-line { stroke: #f778a8 }
    .axis { stroke: #30363d }
    .target { stroke: #e6edf3 }
  }
"""


@attrs.frozen
class _Panel:
    """A card of the figure: what it holds, drawn from its own upper left corner, and how high it is."""

    height: int
    content: str


_COLUMNS = (
    {
        "import": "Import, above the bare interpreter",
        "round trip": "execute and its answer",
        "load": "Opening a cassette of 2,000",
        "replay": "Replaying a cassette of 2,000",
        "local": "Execution on this machine",
    },
    {
        "first call": "A fresh process to its first answer",
        "stream, 64 KB events": "Stream of 64 KB events",
        "stream, small events": "Stream of small events",
        "record": "A call that is recorded",
        "threads": "Calls a second, by threads",
    },
)
_LEFT_OUT = {"http.client, not parsed"}
_LEGEND = (
    "Medians of interleaved rounds. The dashed mark is the target: what buntime takes is to end before it, "
    "its speed beyond it."
)


def plot(tables: Iterable[Table]) -> str:
    """Return the figure, as SVG."""
    by_name = {table.name: table for table in tables}
    columns = [
        _column([_panel(by_name[name], heading) for name, heading in column.items() if name in by_name])
        for column in _COLUMNS
    ]
    height = max(bottom for _, bottom in columns)
    width = 2 * _WIDTH + _GAP
    drawn = "".join(
        f'<g transform="translate({index * (_WIDTH + _GAP)} 0)">\n{cards}</g>\n'
        for index, (cards, _) in enumerate(columns)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-1 -1 {width + 2} {height + 28}" '
        f'width="{width + 2}" height="{height + 28}" role="img" aria-label="buntime beside its peers">\n'
        f"<style>{_STYLE}</style>\n{drawn}"
        f'<text class="legend" x="2" y="{height + 16}">{_LEGEND}</text>\n</svg>\n'
    )


def _column(panels: Iterable[_Panel]) -> tuple[str, int]:
    """Return cards one below the other, and where they end."""
    cards, y = "", 0
    for panel in panels:
        card = f'<rect class="card" width="{_WIDTH}" height="{panel.height}" rx="8"/>'
        cards += f'<g transform="translate(0 {y})">{card}\n{panel.content}</g>\n'
        y += panel.height + _GAP
    return cards, y


def _panel(table: Table, heading: str) -> _Panel:
    rows = [row for row in table.rows if row.median and row.name not in _LEFT_OUT]
    return _lines(table, rows, heading) if table.name == "threads" else _bars(table, rows, heading)


def _title(heading: str, detail: str) -> str:
    return (
        f'<text class="title" x="{_PADDING}" y="24">{escape(heading)}</text>'
        f'<text class="quiet" x="{_PADDING}" y="39">{escape(detail)}</text>\n'
    )


def _bars(table: Table, rows: Sequence[Row], heading: str) -> _Panel:
    bounds = [bound(table, row.name) for row in rows]
    scale = _Scale.over([row.median or 0.0 for row in rows], [one for one in bounds if one is not None])
    better = "more is better" if table.more_is_better else "less is better"
    detail = f"{table.unit}, {better}{', logarithmic' if scale.logarithmic else ''}"
    lines = [_bar(table, row, scale, _HEAD + _LINE * index) for index, row in enumerate(rows)]
    return _Panel(_HEAD + _LINE * len(rows) + 10, _title(heading, detail) + "".join(lines))


@attrs.frozen
class _Scale:
    least: float
    most: float
    logarithmic: bool

    @classmethod
    def over(cls, values: Sequence[float], bounds: Sequence[float]) -> _Scale:
        least, most = min(values, default=1.0), max([*values, *bounds], default=1.0)
        return cls(least / 3, most, most > _LOGARITHMIC * max(least, 0.0) > 0)

    def length(self, value: float) -> float:
        if not self.logarithmic:
            return _BARS * value / self.most
        return _BARS * math.log(value / self.least) / math.log(self.most / self.least)


def _bar(table: Table, row: Row, scale: _Scale, y: int) -> str:
    kind, weight = ("own", "name") if "buntime" in row.name else ("bar", "")
    length = max(scale.length(row.median or 0.0), 1.0)
    ratio, target = table.ratio(row.name), bound(table, row.name)
    at = None if target is None else scale.length(target)
    mark = "" if at is None else _mark(at, y)
    beyond = _LABELS + 16 + max(length, at or 0.0)
    beside = "" if ratio is None else f' <tspan class="quiet">{times(ratio)}\u00d7</tspan>'
    return (
        f'<text class="{weight}" text-anchor="end" x="{_LABELS}" y="{y + 11}">{escape(row.name)}</text>'
        f'<rect class="{kind}" x="{_LABELS + 8}" y="{y}" width="{length:.1f}" height="{_BAR}" rx="2"/>{mark}'
        f'<text x="{beyond:.1f}" y="{y + 11}">{number(row.median or 0.0)}{beside}</text>\n'
    )


def _mark(x: float, y: int) -> str:
    return f'<path class="target" d="M{_LABELS + 8 + x:.1f} {y - 3}v{_BAR + 6}"/>'


_PLOT = 150


def _lines(table: Table, rows: Sequence[Row], heading: str) -> _Panel:
    series: dict[str, dict[str, float]] = {}
    for row in rows:
        caller, _, threads = row.name.partition(", ")
        series.setdefault(caller, {})[threads.split()[0]] = row.median or 0.0
    most = max((value for line in series.values() for value in line.values()), default=1.0)
    ticks = list(next(iter(series.values()), {}))
    drawn = "".join(_line(name, line, most) for name, line in series.items())
    names = "".join(
        f'<text class="quiet" text-anchor="middle" x="{_across(index, len(ticks)):.0f}" '
        f'y="{_HEAD + _PLOT + 18}">{tick}</text>'
        for index, tick in enumerate(ticks)
    )
    base = _HEAD + _PLOT
    axis = f'<path class="axis" d="M{_PADDING} {base}H{_WIDTH - _PADDING}"/>'
    content = (
        _title(heading, f"{table.unit}, more is better; one client, threads across") + axis + names + drawn
    )
    return _Panel(_HEAD + _PLOT + 32, content)


def _across(index: int, count: int) -> float:
    return _PADDING + 24 + index * (_WIDTH - 2 * _PADDING - 150) / max(count - 1, 1)


def _line(name: str, line: Mapping[str, float], most: float) -> str:
    points = [
        (_across(index, len(line)), _HEAD + _PLOT * (1 - 0.92 * value / most))
        for index, value in enumerate(line.values())
    ]
    kind, dot, weight = ("own-line", "own", "name") if "buntime" in name else ("line", "dot", "")
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    dots = "".join(f'<circle class="{dot}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in points)
    x, y = points[-1]
    last = number(list(line.values())[-1])
    label = f'<text class="{weight}" x="{x + 9:.1f}" y="{y + 4:.1f}">{escape(name)} {last}</text>'
    return f'<path class="{kind}" d="{path}"/>{dots}{label}\n'
