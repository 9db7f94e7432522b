"""Running the tools that a model calls: nothing is raised, and everything is bounded."""

from __future__ import annotations

import codecs
import mimetypes
import posixpath
from collections.abc import Mapping
from typing import Any, Callable, NamedTuple, Optional, Union
from weakref import WeakKeyDictionary

from buntime import _validate
from buntime._support.collected_text import CollectedText, bound
from buntime.client.session import Session
from buntime.errors import BuntimeError, JavaScriptError
from buntime.runloop.devbox import Devbox
from buntime.runloop.session import as_session
from buntime.tools.definitions import DEFAULT_TIMEOUT, check_arguments, find_tool
from buntime.tools.sandbox import OnOutput, Program, Sandbox
from buntime.wire.constants import HIDDEN_FOLDER

Arguments = Union[Mapping[str, Any], str, None]

DEFAULT_LIMIT = 20_000
"""Characters of a result."""
_GRACE = 60.0
"""Seconds that a tool may take beside the time limit of its program."""
_SESSIONS: WeakKeyDictionary[Devbox, Session] = WeakKeyDictionary()
"""The sessions over devboxes, each of which is prepared once."""
_FRAME = 400
"""Characters of a result for exit codes, offsets and hints."""


class ToolResult(str):
    """The text for the model; ``is_error`` if the call failed, or its program did."""

    is_error: bool

    def __new__(cls, text: str, is_error: bool = False) -> ToolResult:
        """Return a result."""
        result = super().__new__(cls, text)
        result.is_error = is_error
        return result


def run_tool(
    sandbox: Union[Session, Devbox],
    name: str,
    arguments: Arguments,
    *,
    limit: int = DEFAULT_LIMIT,
    on_output: Optional[OnOutput] = None,
) -> ToolResult:
    """Run a tool that a model called, and return the text for the model.

    Arguments:
        sandbox: a session, or a devbox of Runloop.
        name: of the tool.
        arguments: as a mapping, or as the JSON that the model wrote.
        limit: characters that the result has at most. A longer one has the number of missing bytes, and how
            to read the rest.
        on_output: called with each piece of the output of a program while it runs.

    It raises nothing but ``KeyboardInterrupt`` and ``SystemExit``: after a wrong argument or a failed call,
    ``is_error`` of the result is true, and its text names what to change. It ends at the latest a minute
    after the time limit of its program. Paths that lead out of the workspace are refused.
    """
    return run_tool_in(lambda seconds: open_sandbox(sandbox, seconds), name, arguments, limit, on_output)


def run_tool_in(
    open_within: Callable[[float], Sandbox],
    name: str,
    arguments: Arguments,
    limit: int,
    on_output: Optional[OnOutput],
) -> ToolResult:
    """Like :func:`run_tool`, in the sandbox that a function opens for a number of seconds."""
    most = DEFAULT_LIMIT
    try:
        most = _validate.count("limit", limit)
        tool = find_tool(name)
        values = check_arguments(tool, arguments)
        sandbox = open_within(values.get("timeout", DEFAULT_TIMEOUT) + values.get("wait", 0) + _GRACE)
        result: ToolResult = getattr(_Tools(sandbox, most, on_output), tool.name)(**values)
    except Exception as error:
        result = ToolResult(_message(error), is_error=True)
    if len(result) > most:
        note = f"\n[{len(result)} characters, cut here]"
        return ToolResult((result[: max(0, most - len(note))] + note)[:most], result.is_error)
    return result


def _message(error: Exception) -> str:
    """Return an error for the model: without the hints, which are for programmers."""
    if isinstance(error, JavaScriptError):
        return f"JavaScript failed with {error.stack or f'{error.name}: {error.message}'}"
    if isinstance(error, BuntimeError):
        return f"{error.message}; it may have been carried out" if error.maybe_executed else error.message
    return str(error) if isinstance(error, (TypeError, ValueError)) else f"{type(error).__name__}: {error}"


def open_sandbox(sandbox: object, seconds: float, tag: Optional[str] = None) -> Sandbox:
    """Return the operations of a sandbox, each of which takes at most ``seconds``.

    ``tag`` differs between calls that are interrupted separately.
    """
    if isinstance(sandbox, Session):
        return Sandbox(sandbox, seconds, tag)
    if isinstance(sandbox, Devbox):
        if sandbox not in _SESSIONS:
            _SESSIONS[sandbox] = as_session(sandbox._connection, sandbox.id, folder=".")
        return Sandbox(_SESSIONS[sandbox], seconds, tag, root="/home/user")
    raise TypeError(f"the tools need a Session or a Devbox, not {type(sandbox).__name__}")


def inside(path: str, root: str) -> str:
    """Return a path relative to the workspace ``root``.

    ``ValueError`` for one that leads out of it, and for one of the client's own files.
    """
    full = posixpath.normpath(posixpath.join(root, path))
    if full != root and not full.startswith(f"{root}/"):
        raise ValueError(f"{path!r} leads out of the workspace; pass a path below {root}, or a relative one")
    relative = full[len(root) + 1 :]
    if relative.partition("/")[0] == HIDDEN_FOLDER:
        raise ValueError(f"{path!r} is in {HIDDEN_FOLDER}, which belongs to the client; pass another path")
    return relative


def decode_text(data: bytes, *, is_start: bool, is_end: bool) -> Optional[str]:
    """Return bytes of a file as text; ``None`` if it is binary. Characters cut at the ends are left out."""
    start = 0
    while not is_start and start < min(3, len(data)) and data[start] & 0xC0 == 0x80:
        start += 1
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(data[start:], is_end)
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _streams(stdout: str, stderr: str) -> list[str]:
    texts = {"stdout": stdout, "stderr": stderr}
    return [f"{name}:\n{text.rstrip()}" for name, text in texts.items() if text]


class _Tools(NamedTuple):
    """A method for each tool, with its arguments."""

    sandbox: Sandbox
    limit: int
    on_output: Optional[OnOutput]

    @property
    def _room(self) -> int:
        return max(2, self.limit - _FRAME)

    def _path(self, path: str) -> str:
        return inside(path, self.sandbox.root)

    def _file(self, path: str) -> str:
        name = self._path(path)
        if not name:
            raise ValueError(f"{path!r} is the workspace itself; pass the path of a file, or use list")
        return _validate.file("path", name)

    def _program(self, code: Optional[str], command: Optional[str], working_dir: Optional[str]) -> Program:
        folder = self._path(working_dir or "")
        return Program(code, command, folder or None)

    def execute(
        self,
        code: Optional[str] = None,
        command: Optional[str] = None,
        working_dir: Optional[str] = None,
        timeout: int = DEFAULT_TIMEOUT,
    ) -> ToolResult:
        program = self._program(code, command, working_dir)
        ran = self.sandbox.run(program, timeout, self._room // 2, self.on_output)
        state = f"exit code {ran.exit_code}"
        if ran.exit_code is None:
            state = (
                f"reached its time limit of {timeout} s and was ended; pass a longer timeout, or use start"
            )
        cut = "[output is left out: redirect it to a file, and read that from an offset]"
        lines = [state, *_streams(ran.stdout, ran.stderr), *([cut] if ran.is_cut else [])]
        return ToolResult("\n".join(lines), is_error=ran.exit_code != 0)

    def call(
        self, function: str, arguments: Optional[list[Any]] = None, timeout: int = DEFAULT_TIMEOUT
    ) -> ToolResult:
        output = CollectedText(self._room // 2)

        def on_output(text: str) -> None:
            output.add(text)
            if self.on_output is not None:
                self.on_output(text)

        value = bound(self.sandbox.call(function, arguments or [], timeout, on_output), self._room // 2)[0]
        return ToolResult(f"{value}\noutput:\n{output.text()}" if output.size else value)

    def write(self, path: str, content: str) -> ToolResult:
        target = self._file(path)
        self.sandbox.write(target, _validate.text("content", content))
        return ToolResult(f"wrote {len(content.encode())} bytes to {target}")

    def read(self, path: str, offset: int = 0) -> ToolResult:
        source = self._file(path)
        data, size = self.sandbox.read(source, offset, self.limit)
        if offset or len(data) < size:
            data = data[: self._room]  # leaves room for the offsets
        end = offset + len(data)
        text = decode_text(data, is_start=offset == 0, is_end=end >= size)
        if text is None:
            kind = mimetypes.guess_type(source)[0] or "unknown type"
            return ToolResult(f"{source} is a binary file ({kind}) of {size} bytes; it is not shown")
        if len(data) == size:
            return ToolResult(text or "[the file is empty]")
        if not data:
            return ToolResult(f"[{source} has {size} bytes, and none from offset {offset} on]")
        end = size if end >= size else offset + len(text.encode())
        following = f"; read on with offset {end}" if end < size else ""
        return ToolResult(f"{text}\n[bytes {offset} to {end} of {size}{following}]")

    def list(self, path: str = "", recursive: bool = False) -> ToolResult:
        listing = self.sandbox.list(self._path(path) or ".", recursive=recursive)
        lines = [f"{name}/" if size is None else f"{name}  {size}" for name, size in listing.entries]
        shown, room = 0, self._room
        while shown < len(lines) and (room := room - len(lines[shown]) - 1) > 0:
            shown += 1
        if shown < len(lines) or listing.is_cut:
            more = "more entries" if listing.is_cut else f"{len(lines) - shown} entries"
            lines[shown:] = [f"[{more} are left out; list a folder of it, or use a command such as find]"]
        return ToolResult("\n".join(lines) or "[the folder is empty]")

    def start(
        self, code: Optional[str] = None, command: Optional[str] = None, working_dir: Optional[str] = None
    ) -> ToolResult:
        number = self.sandbox.start(self._program(code, command, working_dir))
        return ToolResult(f"started process {number}; logs returns its output, and ends it with kill")

    def logs(
        self,
        process: int,
        stdout_offset: int = 0,
        stderr_offset: int = 0,
        wait: int = 0,
        kill: bool = False,
    ) -> ToolResult:
        offsets = (stdout_offset, stderr_offset)
        exit_code, logs = self.sandbox.logs(process, offsets, self._room // 2, wait=wait, kill=kill)
        state = "is running" if exit_code is None else f"ended with exit code {exit_code}"
        following = f"[next: stdout_offset {logs.stdout_offset}, stderr_offset {logs.stderr_offset}]"
        lines = [f"process {process} {state}", *_streams(logs.stdout, logs.stderr), following]
        return ToolResult("\n".join(lines))
