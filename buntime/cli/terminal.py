"""Tables, errors and progress on a terminal: by rich if it is installed, else plain."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Callable, Optional, TextIO

from buntime._support.terminal import printable

if TYPE_CHECKING:
    from rich.console import Console

_STYLES = {"ok": "green", "FAIL": "bold red", "running": "green", "failure": "red"}
_WIDTH = 30
_PERIOD = 0.1


def _console(stream: TextIO) -> Optional[Console]:
    """Return a console of rich for a terminal; ``None`` for a pipe or a file, and without rich."""
    if not stream.isatty():
        return None
    try:
        from rich.console import Console
    except ImportError:
        return None
    return Console(file=stream, markup=False, emoji=False, highlight=False)


def table(rows: Sequence[tuple[object, ...]], *, header: bool = False) -> str:
    """Return rows as lines with aligned columns; the first row may be their ``header``."""
    texts = [[printable(str(cell)) for cell in row] for row in rows]
    console = _console(sys.stdout)
    if console is None or not texts:
        widths = [max(map(len, column)) for column in zip(*texts)]
        return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in texts)
    from rich.table import Table
    from rich.text import Text

    grid = Table(
        *(texts[0] if header else ()), box=None, show_header=header, pad_edge=False, padding=(0, 2, 0, 0)
    )
    for row in texts[header:]:
        grid.add_row(*(Text(cell, _STYLES.get(cell, ""), overflow="fold") for cell in row))
    with console.capture() as capture:
        console.print(grid)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def print_error(text: str) -> None:
    """Print a message of buntime to standard error."""
    console = _console(sys.stderr)
    if console is None:
        print(f"buntime: {text}", file=sys.stderr)
    else:
        console.print("buntime:", style="bold red", end=" ")
        console.print(text, soft_wrap=True)


@contextmanager
def transfer_progress() -> Iterator[Optional[Callable[[int, int, str], None]]]:
    """Yield the ``progress`` of a transfer: a bar on a terminal, which the end removes; else ``None``."""
    console = _console(sys.stderr)
    if console is not None:
        from rich import progress

        columns = (progress.BarColumn(), progress.DownloadColumn(), progress.TransferSpeedColumn())
        with progress.Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task("", total=None)
            yield lambda done, total, _name: bar.update(task, completed=done, total=total)
    elif sys.stderr.isatty():
        line = _Line()
        yield line
        if line.is_visible:
            sys.stderr.write("\r\x1b[K")
    else:
        yield None


class _Line:
    """A bar of plain characters."""

    def __init__(self) -> None:
        self._next = 0.0
        self.is_visible = False

    def __call__(self, done: int, total: int, _name: str) -> None:
        now = time.monotonic()
        if now < self._next and done < total:
            return
        self._next = now + _PERIOD
        self.is_visible = True
        filled = _WIDTH * done // max(total, 1)
        bar = "#" * filled + "-" * (_WIDTH - filled)
        sys.stderr.write(f"\r[{bar}] {done / 1e6:.1f} of {total / 1e6:.1f} MB\x1b[K")
        sys.stderr.flush()
