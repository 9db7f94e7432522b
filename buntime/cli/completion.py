"""``buntime completion``: complete commands and options in a shell, by argcomplete."""

from __future__ import annotations

import argparse
import os

from buntime.cli.connection import AddParser


def add_completion(add_parser: AddParser) -> None:
    """Add ``completion`` to the command line."""
    parser = add_parser(
        "completion",
        help="print the lines that complete buntime's commands in a shell",
        description="Print the lines that a shell evaluates; it needs argcomplete. bash and zsh: "
        'eval "$(buntime completion bash)"; fish: buntime completion fish | source.',
    )
    parser.add_argument("shell", choices=["bash", "zsh", "fish"])
    parser.set_defaults(action=_completion)


def complete(parser: argparse.ArgumentParser) -> None:
    """Print the possible words and exit, if a shell asks for them."""
    if "_ARGCOMPLETE" in os.environ:
        import argcomplete

        argcomplete.autocomplete(parser)


def _completion(options: argparse.Namespace) -> int:
    try:
        from argcomplete.shell_integration import shellcode
    except ImportError:
        raise ValueError(
            'buntime completion needs argcomplete, from the extra cli: pip install "buntime[cli]"'
        ) from None
    print(shellcode(["buntime"], shell=options.shell))
    return 0
