"""The values of executions: what is executed, with which options, and its result."""

# Annotations are not strings here: to resolve them would take half of the time of importing this module.

import json
from collections.abc import Iterable, Mapping
from typing import IO, Any, Literal, Optional, TypedDict, Union

import attrs

from buntime import _validate
from buntime._support.export import export
from buntime._support.other_names import checks_arguments
from buntime._support.short_repr import short_repr
from buntime._support.typing import OnText
from buntime.errors import ExecutionFailedError, ExecutionTimeoutError
from buntime.models.base import Value, body_size, unknown_fields

_STDERR_TAIL = 400

FilesArgument = Union[Mapping[str, str], Iterable[Mapping[str, str]]]
"""Files as ``{path: content}`` or ``[{"path": ..., "content": ...}]``."""

MaxOutput = Union[int, Literal["default"], None]
"""Bytes of stdout and of stderr; ``"default"`` is the setting of the client, ``None`` is no bound."""


OutputKind = Literal["stdout", "stderr"]


class ExecuteOptions(TypedDict, total=False):
    """The options that ``execute`` and ``stream`` of clients and sessions have beside code and command.

    They are described at :class:`ExecuteRequest`.
    """

    files: Optional[FilesArgument]
    env: Optional[Mapping[str, str]]
    timeout: Optional[int]
    working_dir: Optional[str]
    check: bool
    idempotent: bool
    max_output: Optional[int]
    stdin: Union[str, bytes, IO[bytes], IO[str], None]


class CallbackOptions(TypedDict, total=False):
    """The functions that ``execute`` calls with the output while it arrives."""

    on_stdout: Optional[OnText]
    on_stderr: Optional[OnText]


class WatchOptions(ExecuteOptions, CallbackOptions, total=False):
    """The options of ``execute`` beside code and command."""


def _timeout(value: Optional[int]) -> Optional[int]:
    if value is None:
        return None
    return int(_validate.not_milliseconds("timeout", _validate.whole_seconds("timeout", value)))


def _stdin(stdin: object) -> str:
    return body_size(stdin) if isinstance(stdin, bytes) else short_repr(stdin)


def _env_names(env: Optional[Mapping[str, str]]) -> str:
    return "None" if env is None else f"<{', '.join(sorted(env))}>"


@checks_arguments
@attrs.frozen(repr=False, slots=False)  # as Request: with slots, it takes longer to construct
class ExecuteRequest(Value):
    """The arguments of :meth:`Buntime.execute <buntime.Buntime.execute>` as one value.

    Arguments:
        code: JavaScript or TypeScript; exactly one of ``code`` and ``command``.
        command: a shell command.
        files: written to the workspace first, all or none: ``{path: content}``, or the API's own
            ``[{"path": ..., "content": ...}]``.
        env: environment variables of this execution only. ``repr`` shows only their names.
        timeout: whole seconds that the execution may take, at most 3,600; by default the session's limit.
        working_dir: a path in the workspace; by default ``/workspace``.
        check: raise :class:`~buntime.ExecutionFailedError` for a non-zero exit code or a time limit.
        idempotent: running it twice does no harm, so it is retried like a read.
        max_output: bytes of stdout and of stderr that the result has at most, or ``None`` for no bound; by
            default the client's ``max_output``. See :class:`~buntime.ExecuteResult`.
        stdin: standard input of the program: text, bytes, or an open file, which is read to its end.
        session_id: the session to run it in. Not needed for the methods of a session.

    Raises ``TypeError`` or ``ValueError`` naming the argument.
    """

    code: Optional[str] = attrs.field(default=None, repr=short_repr)
    command: Optional[str] = attrs.field(default=None, kw_only=True, repr=short_repr)
    files: tuple[tuple[str, str], ...] = attrs.field(
        default=(), kw_only=True, converter=_validate.files, repr=short_repr
    )
    env: Optional[Mapping[str, str]] = attrs.field(
        default=None, kw_only=True, converter=_validate.env, repr=_env_names
    )
    timeout: Optional[int] = attrs.field(default=None, kw_only=True, converter=_timeout)
    working_dir: Optional[str] = attrs.field(default=None, kw_only=True)
    check: bool = attrs.field(default=False, kw_only=True)
    idempotent: bool = attrs.field(default=False, kw_only=True)
    max_output: MaxOutput = attrs.field(default="default", kw_only=True)
    session_id: Optional[str] = attrs.field(default=None, kw_only=True)
    stdin: Union[str, bytes, IO[bytes], IO[str], None] = attrs.field(
        default=None, kw_only=True, converter=_validate.stdin, repr=_stdin
    )

    def __attrs_post_init__(self) -> None:
        if self.code is not None:
            _validate.text("code", self.code)
        if self.command is not None:
            _validate.argument("command", self.command)
        if self.working_dir is not None:
            _validate.argument("working_dir", self.working_dir)
        _validate.flag("check", self.check)
        _validate.flag("idempotent", self.idempotent)
        if self.max_output != "default":
            _validate.max_output("max_output", self.max_output)
        if (self.code is None) == (self.command is None):
            problem = "neither was" if self.code is None else "both were"
            raise ValueError(f"pass exactly one of code and command; {problem} passed")
        if self.working_dir == "":
            raise ValueError("working_dir is empty; omit it to run in /workspace")
        if self.session_id is not None:
            _validate.session_id(self.session_id)


@attrs.frozen(repr=False, slots=False)
class ExecuteResult(Value):
    """The result of an execution.

    ``execution_time`` and ``cpu_time`` are milliseconds, ``memory_used`` is the peak in bytes. These,
    ``timed_out`` and ``files_written`` are ``None`` if the service did not report them. ``exit_code`` is
    ``None`` only if a stream ended without one.

    ``stdout_truncated`` and ``stderr_truncated`` are true if the output was larger than ``max_output``. Then
    only its first and its last half are there, with the line ``[... N bytes of output left out ...]``
    between. A service may cut larger output before; if it leaves this line, that is reported in the same way.
    """

    stdout: str = attrs.field(repr=short_repr)
    stderr: str = attrs.field(repr=short_repr)
    exit_code: Optional[int]
    execution_time: Optional[float] = None
    memory_used: Optional[int] = None
    cpu_time: Optional[float] = None
    timed_out: Optional[bool] = None
    files_written: Optional[tuple[str, ...]] = attrs.field(default=None, repr=short_repr)
    stdout_truncated: bool = attrs.field(default=False, kw_only=True)
    stderr_truncated: bool = attrs.field(default=False, kw_only=True)
    extra: Mapping[str, Any] = unknown_fields()

    @property
    def ok(self) -> bool:
        """Whether the execution ended with exit code 0, within its time limit."""
        return self.exit_code == 0 and not self.timed_out

    def _repr_html_(self) -> str:
        from buntime._support import html

        state = "reached its time limit" if self.timed_out else f"exit code {self.exit_code}"
        time = "" if self.execution_time is None else f", {self.execution_time:g} ms"
        return html.titled(state + time, html.output(self.stdout, self.stderr))

    def check(self) -> "ExecuteResult":
        """Return the result itself if it is :attr:`ok`.

        Raises:
            ExecutionTimeoutError: the execution reached its time limit.
            ExecutionFailedError: the exit code is not 0.
        """
        if self.ok:
            return self
        tail = self.stderr[-_STDERR_TAIL:].strip()
        stderr = f"; the end of stderr:\n{tail}\n" if tail else "; stderr is empty"
        if self.timed_out:
            raise ExecutionTimeoutError(f"the execution reached its time limit{stderr}", result=self)
        if self.exit_code is None:
            raise ExecutionFailedError(f"the execution ended without an exit code{stderr}", result=self)
        raise ExecutionFailedError(
            f"the execution ended with exit code {self.exit_code}{stderr}", result=self
        )

    def json(self) -> Any:
        """Parse ``stdout`` as JSON. A ``ValueError`` shows the beginning of output that is not JSON."""
        try:
            return json.loads(self.stdout)
        except ValueError as error:
            raise ValueError(f"stdout is not JSON ({error}): {self.stdout[:200]!r}") from error


@attrs.frozen(repr=False)
class StreamEvent(Value):
    """A piece of output: ``kind`` is ``"stdout"`` or ``"stderr"``; any other kind is passed through."""

    kind: OutputKind
    text: str = attrs.field(repr=short_repr)


export("buntime", ExecuteOptions, ExecuteRequest, ExecuteResult, StreamEvent)
