"""Scripted executions and their results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Callable, Literal, Optional, Union

import attrs

from buntime._support.collected_text import CollectedText, bound
from buntime.service.executors import TIMED_OUT, Execution, ExecutionOutcome, Output
from buntime.service.workspace.base import Workspace

Chunk = tuple[Literal["stdout", "stderr"], str]

_LARGEST_PIECE = 1 << 16


def _is(expected: str, *kinds: type) -> Callable[[object, Any, object], None]:
    def check(_result: object, attribute: Any, value: object) -> None:
        if not isinstance(value, kinds):
            raise TypeError(f"{attribute.name} must be {expected}, not {type(value).__name__}")

    return check


def _check_files(_result: object, _attribute: object, value: object) -> None:
    if not isinstance(value, Mapping):
        raise TypeError(f"files must be a mapping of str to str, not {type(value).__name__}")
    for path, content in value.items():
        if not isinstance(path, str) or not isinstance(content, str):
            raise TypeError(f"files must map str to str; {path!r} does not")


_is_text, _is_int = _is("a str", str), _is("an int", int)
_is_number, _is_flag = _is("a number", int, float), _is("a bool", bool)


@attrs.frozen
class ScriptedExecution(Execution):
    """An execution as a handler sees it, with its session and a workspace that the handler may change."""

    session_id: str = attrs.field(kw_only=True)
    workspace: Workspace = attrs.field(kw_only=True, repr=False)
    stdin: bytes = attrs.field(default=b"", kw_only=True, repr=False)


@attrs.frozen
class ScriptedResult:
    """The result of an execution.

    ``chunks`` is the output in the pieces and the order of a stream, in place of ``stdout`` and ``stderr``;
    by default stdout is one piece and stderr the next. A piece of more than 65,536 characters arrives in
    several, as from a pipe. Times are milliseconds, memory is bytes.
    """

    stdout: str = attrs.field(default="", validator=_is_text)
    stderr: str = attrs.field(default="", validator=_is_text)
    exit_code: int = attrs.field(default=0, validator=_is_int)
    execution_time: float = attrs.field(default=1.0, validator=_is_number)
    memory_used: int = attrs.field(default=12_582_912, validator=_is_int)
    cpu_time: float = attrs.field(default=1.0, validator=_is_number)
    timed_out: bool = attrs.field(default=False, validator=_is_flag)
    chunks: Optional[tuple[Chunk, ...]] = None
    files: Mapping[str, str] = attrs.field(factory=dict, validator=_check_files)
    """Files that are written to the workspace, as the code would write them."""
    keeps_running: bool = attrs.field(default=False, validator=_is_flag)
    """A background process with this result runs until it is killed, as a server does."""

    @classmethod
    def make(
        cls, *, chunks: Optional[Iterable[Chunk]] = None, timed_out: bool = False, **fields: object
    ) -> ScriptedResult:
        """Return a result; ``chunks`` determine stdout and stderr, ``timed_out`` the exit code 124."""
        if timed_out:
            fields.setdefault("exit_code", TIMED_OUT)
        if chunks is None:
            return cls(timed_out=timed_out, **fields)  # type: ignore[arg-type] # attrs checks the names
        if "stdout" in fields or "stderr" in fields:
            raise TypeError("pass the output as chunks, or as stdout and stderr, not as both")
        if not isinstance(chunks, Iterable):
            raise TypeError(f"chunks must be several pieces, not {type(chunks).__name__}")
        pieces = tuple(chunks)
        for piece in pieces:
            kind, text = piece if isinstance(piece, (tuple, list)) and len(piece) == 2 else ("", None)
            if kind not in {"stdout", "stderr"} or not isinstance(text, str):
                raise TypeError(f"chunks holds {piece!r}, which is not a ('stdout' or 'stderr', text)")
        return cls(timed_out=timed_out, chunks=pieces, **fields)  # type: ignore[arg-type] # as above

    def output(self, kind: Literal["stdout", "stderr"], maximum: Optional[int] = None) -> str:
        """Return at most ``maximum`` bytes of an output."""
        text = self.stdout if kind == "stdout" else self.stderr
        if text or self.chunks is None:  # a handler may pass both, with the same content
            return bound(text, maximum)[0]
        collected = CollectedText(maximum)
        for each, piece in self.chunks:
            if each == kind:
                collected.add(piece)
        return collected.text()

    def items(self, maximum: Optional[int] = None) -> Iterator[Union[Output, ExecutionOutcome]]:
        """Yield the output and the outcome, which has at most ``maximum`` bytes of each output."""
        default: tuple[Chunk, ...] = (("stdout", self.stdout), ("stderr", self.stderr))
        for kind, text in default if self.chunks is None else self.chunks:
            for start in range(0, len(text), _LARGEST_PIECE):
                yield Output(kind, text[start : start + _LARGEST_PIECE])
        yield ExecutionOutcome(
            self.output("stdout", maximum),
            self.output("stderr", maximum),
            self.exit_code,
            self.execution_time,
            self.memory_used,
            self.cpu_time,
            self.timed_out,
        )
