"""Notebooks: the cell magic ``%%bun``, and output that is updated in place while it arrives.

``%load_ext buntime`` loads the magic. Results, sessions, errors and :meth:`SessionFiles.show
<buntime.SessionFiles.show>` are displayed as HTML without it.
"""

from __future__ import annotations

import argparse
import atexit
import re
import shlex
import sys
import time
from collections.abc import Iterable
from functools import partial
from typing import Any, NoReturn, Optional, Union

from buntime import Buntime, Repl, Session, SessionNotFoundError, StreamEvent
from buntime._support import html
from buntime._support.collected_text import CollectedText
from buntime._support.terminal import printable
from buntime.calls.stream import ExecuteStream
from buntime.errors import BuntimeError, JavaScriptError
from buntime.models import ExecuteResult

__all__ = ["load_ipython_extension", "show", "unload_ipython_extension"]

_MAGIC = "bun"
_UPDATE_EVERY = 0.1
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_SET = "(values) => void Object.assign(globalThis, values)"


def load_ipython_extension(shell: Any) -> None:
    """Register ``%%bun``, tables for lists of files and of outcomes, and the display of streams."""
    magic = CellMagic(shell)
    shell.register_magic_function(magic.run, "cell", _MAGIC)
    formatters = shell.display_formatter
    formatters.formatters["text/html"].for_type(list, html.values)
    formatters.ipython_display_formatter.for_type(ExecuteStream, show)
    atexit.register(magic.close)


def unload_ipython_extension(shell: Any) -> None:
    """Remove all that, and delete the session of the magic."""
    formatters = shell.display_formatter
    formatters.formatters["text/html"].pop(list, None)
    formatters.ipython_display_formatter.pop(ExecuteStream, None)
    magic: CellMagic = shell.magics_manager.magics["cell"].pop(_MAGIC).__self__
    atexit.unregister(magic.close)
    magic.close()


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message}; {self.format_usage().strip()}")


def _parser() -> _Parser:
    parser = _Parser(f"%%{_MAGIC}", add_help=False)
    parser.add_argument("-i", "--inputs", nargs="+", action="extend", default=[], metavar="NAME")
    parser.add_argument("-o", "--outputs", nargs="+", action="extend", default=[], metavar="NAME")
    parser.add_argument("-s", "--session", metavar="NAME")
    parser.add_argument("-t", "--timeout", type=int, metavar="SECONDS")
    parser.add_argument("--reset", action="store_true")
    return parser


class CellMagic:
    """Evaluates cells in a REPL for each session, so that variables stay from cell to cell."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._parser = _parser()
        self._client: Optional[Buntime] = None
        self._session: Optional[Session] = None
        self._repls: dict[str, Repl] = {}

    def run(self, line: str, cell: str) -> Any:
        """Evaluate the cell as JavaScript or TypeScript; its last expression is the result.

        ``-i NAME ...`` copies variables of Python into it first, and ``-o NAME ...`` copies variables out.
        ``-s NAME`` uses the session of this variable in place of one that is created by the first cell,
        ``-t SECONDS`` sets a time limit, and ``--reset`` begins with an empty state.
        """
        options = self._parser.parse_args(shlex.split(line))
        variables = self._shell.user_ns
        for name in (*options.inputs, *options.outputs):
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} is not a name of a variable")
        for name in options.inputs:
            if name not in variables:
                raise NameError(f"name {name!r} is not defined: -i copies variables of Python")
        try:
            repl = self._repl(self._session_of(options.session), reset=options.reset)
            if options.inputs:
                repl.call(_SET, {name: variables[name] for name in options.inputs})
            value = repl.eval(
                cell, timeout=options.timeout, on_stdout=_writer("stdout"), on_stderr=_writer("stderr")
            )
            if options.outputs:
                self._shell.push(repl.eval(f"({{ {', '.join(options.outputs)} }})"))
        except BuntimeError as error:
            if isinstance(error, SessionNotFoundError):
                self._session = None  # the next cell creates another
            text = error.stack if isinstance(error, JavaScriptError) and error.stack else str(error)
            # IPython shows this in place of a traceback through this package.
            vars(error)["_render_traceback_"] = partial(list, [printable(text, keep="\n\t")])
            raise
        return value

    def _session_of(self, name: Optional[str]) -> Session:
        if name is None:
            if self._session is None:
                self._client = self._client or Buntime()
                self._session = self._client.sessions.create()
            return self._session
        session = self._shell.user_ns.get(name)
        if not isinstance(session, Session):
            raise TypeError(f"-s {name}: that is not a variable with a Session")
        return session

    def _repl(self, session: Session, *, reset: bool) -> Repl:
        if reset and session.id in self._repls:
            self._repls.pop(session.id).close()
        if session.id not in self._repls:
            self._repls[session.id] = session.repl()
        return self._repls[session.id]

    def close(self) -> None:
        """Delete the session of the magic, and forget the REPLs of others."""
        self._repls.clear()
        client, self._client, self._session = self._client, None, None
        if client is not None:
            client.close()


def _writer(name: str) -> Any:
    def write(text: str) -> None:
        file = getattr(sys, name)  # a kernel replaces it while a cell runs
        file.write(text)
        file.flush()

    return write


def show(stream: Union[ExecuteStream, Iterable[StreamEvent]]) -> Optional[ExecuteResult]:
    """Show output in place while it arrives, and return the result of an :class:`~buntime.ExecuteStream`.

    ``stream`` is that, or :meth:`Process.follow <buntime.Process.follow>`. It is read to its end; of each
    output, about 5,000 bytes of the beginning and of the end are shown. Raises ``ImportError`` without
    IPython, which the extra ``notebook`` installs.
    """
    try:
        from IPython.display import HTML, DisplayHandle, display
    except ImportError as error:
        raise ImportError("buntime.notebook.show() needs IPython: pip install 'buntime[notebook]'") from error
    if not isinstance(stream, Iterable):
        raise TypeError(
            f"stream must be an ExecuteStream or an iterable of events, not {type(stream).__name__}"
        )
    output = {kind: CollectedText(html.LONGEST_TEXT - 100) for kind in ("stdout", "stderr")}

    def rendered() -> Any:
        return HTML(html.output(output["stdout"].text(), output["stderr"].text()) or html.block(""))

    handle = display(rendered(), display_id=True) or DisplayHandle()  # none outside of IPython
    updated = time.monotonic()
    try:
        for event in stream:
            if event.kind in output:
                output[event.kind].add(event.text)
            if time.monotonic() - updated >= _UPDATE_EVERY:
                handle.update(rendered())
                updated = time.monotonic()
    finally:
        handle.update(rendered())
    return stream.result if isinstance(stream, ExecuteStream) else None
