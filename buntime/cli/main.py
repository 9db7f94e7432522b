"""The entry point of the command line. ``--version`` imports nothing else."""

from __future__ import annotations

import sys

from buntime._version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    It is the program's exit code, 125 if buntime failed, 2 for a wrong command line, 128 plus the signal's
    number if a signal ended it, and 141 if the output has no reader any more.
    """
    words = sys.argv[1:] if arguments is None else [*arguments]
    if words == ["--version"]:
        print(f"buntime {__version__}")
        return 0
    from buntime.cli.program import run

    return run(words)
