"""Draw the layers of the package from its imports: ``python docs/layers.py`` updates how-it-is-built.md."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

DOCS = Path(__file__).resolve().parent
PACKAGE = DOCS.parent / "buntime"
Graph = Mapping[str, "set[str]"]

_NOT_DRAWN = {"__init__", "__main__", "_version"}
_WIDTH, _HEIGHT, _GAP, _FLOOR = 118, 30, 22, 74
_TABLE = re.compile(r"(?<=<!-- begin layers -->\n).*(?=<!-- end layers -->)", re.DOTALL)


def read_imports(package: Path = PACKAGE) -> dict[str, set[str]]:
    """Return the entries of a package, each with the entries that it imports at run time."""
    modules = {path: _module(path, package) for path in sorted(package.rglob("*.py"))}
    graph: dict[str, set[str]] = {}
    for path, module in modules.items():
        entry = _entry(module)
        if entry not in _NOT_DRAWN:
            names = _imported(ast.parse(path.read_text(encoding="utf-8")), set(modules.values()))
            graph.setdefault(entry, set()).update(map(_entry, names))
    return {entry: {name for name in names if name in graph} - {entry} for entry, names in graph.items()}


def _module(path: Path, package: Path) -> str:
    return ".".join(path.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__")


def _entry(module: str) -> str:
    return [*module.split("."), "__init__"][1]


def _imported(node: ast.AST, modules: set[str]) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names if alias.name in modules)
        elif isinstance(child, ast.ImportFrom) and child.module in modules:
            names = [f"{child.module}.{alias.name}" for alias in child.names]
            yield from (name if name in modules else child.module for name in names)
        yield from _imported(child, modules)


def reachable(graph: Graph, start: str) -> set[str]:
    """Return everything that an entry imports, directly or not."""
    seen: set[str] = set()
    pending = [*graph[start]]
    while pending:
        entry = pending.pop()
        if entry not in seen:
            seen.add(entry)
            pending += graph[entry]
    return seen


def floors(graph: Graph) -> list[list[str]]:
    """Return the entries by floor, the ground first: each imports lower floors, or its own circle."""
    below = {entry: reachable(graph, entry) | {entry} for entry in graph}
    height: dict[str, int] = {}
    for entry in sorted(graph, key=lambda name: len(below[name])):
        lower = [other for other in below[entry] if entry not in below[other]]
        height[entry] = 1 + max((height[other] for other in lower), default=-1)
    return [sorted(e for e in graph if height[e] == floor) for floor in range(max(height.values()) + 1)]


def draw(graph: Graph) -> str:
    """Return the picture as SVG. An arrow that follows from two others is left out."""
    rows = floors(graph)[::-1]
    width = max(map(len, rows)) * (_WIDTH + _GAP) + _GAP
    height = len(rows) * _FLOOR + _GAP - (_FLOOR - _HEIGHT) + _GAP
    positions = {
        entry: (width / (len(row) + 1) * (column + 1), _GAP + number * _FLOOR)
        for number, row in enumerate(rows)
        for column, entry in enumerate(row)
    }
    shapes = []
    for entry, (x, y) in positions.items():
        below = {other: reachable(graph, other) for other in graph[entry]}
        implied = {name for other in below for name in below[other] if other not in reachable(graph, name)}
        for other in sorted(graph[entry] - implied):
            end_x, end_y = positions[other]
            shapes.append(
                f'<line x1="{x:g}" y1="{y + _HEIGHT}" x2="{end_x:g}" y2="{end_y}" stroke="#b4bcc5"/>'
            )
    for entry, (x, y) in positions.items():
        box = f'x="{x - _WIDTH / 2:g}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="6"'
        shapes.append(f'<rect {box} fill="#fff0f5" stroke="#e0457b"/>')
        shapes.append(f'<text x="{x:g}" y="{y + 20}" text-anchor="middle">{entry}</text>')
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height}" font-family="sans-serif"'
    )
    return "\n".join(
        [f'{head} font-size="13">', '<rect width="100%" height="100%" fill="white"/>', *shapes, "</svg>\n"]
    )


def table(graph: Graph, package: Path = PACKAGE) -> str:
    """Return the entries from the top floor down, with their docstrings and direct imports, in Markdown."""
    lines = ["| part | content | imports |", "|---|---|---|"]
    for entry in (entry for row in reversed(floors(graph)) for entry in row):
        path = package / entry / "__init__.py" if (package / entry).is_dir() else package / f"{entry}.py"
        text = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n\n")[0]
        lines.append(f"| `{entry}` | {' '.join(text.split())} | {', '.join(sorted(graph[entry]))} |")
    return "\n" + "\n".join(lines) + "\n\n"


def main() -> None:
    """Update the picture and the table."""
    graph = read_imports()
    (DOCS / "project" / "layers.svg").write_text(draw(graph), encoding="utf-8")
    page = DOCS / "project" / "how-it-is-built.md"
    text = page.read_text(encoding="utf-8")
    page.write_text(_TABLE.sub(lambda _: table(graph), text), encoding="utf-8")


if __name__ == "__main__":
    main()
