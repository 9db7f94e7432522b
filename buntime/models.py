"""The values that travel between the user and the service.

All are frozen. What the service reports keeps the service's units; ``extra`` holds the fields of an
answer that this version does not know.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Optional, Union

import attrs

from buntime import _validate
from buntime.errors import ExecutionFailedError, ExecutionTimeoutError

_STDERR_TAIL = 400

FilesArgument = Union[Mapping[str, str], Iterable[Mapping[str, str]]]
"""Files as ``{path: content}`` or ``[{"path": ..., "content": ...}]``."""


def _unknown_fields() -> Any:
    return attrs.field(factory=dict, repr=False, eq=False, kw_only=True)


@attrs.frozen
class ResourceLimits:
    """The resources of a session: ``memory`` and ``disk`` in MB, ``cpu`` in cores, ``timeout`` in seconds.

    ``disk`` is told, and cannot be asked for. ``None`` is the plan's own limit where it is asked for, and
    unknown where the service answers.
    """

    memory: Optional[int] = None
    cpu: Optional[float] = None
    timeout: Optional[int] = None
    disk: Optional[int] = None
    extra: Mapping[str, Any] = _unknown_fields()


@attrs.frozen
class SessionInfo:
    """What the service says of a session now.

    ``state`` is ``"active"``, ``"idle"`` or ``"deep-sleep"``; another value is passed through.
    """

    id: str
    created_at: Optional[datetime] = None
    expires_at: Optional[datetime] = None
    last_active: Optional[datetime] = None
    state: Optional[str] = None
    files_count: Optional[int] = None
    active_processes: Optional[int] = None
    metadata: Mapping[str, Any] = attrs.field(factory=dict)
    extra: Mapping[str, Any] = _unknown_fields()


def _timeout(value: Optional[int]) -> Optional[int]:
    return _validate.whole_seconds("timeout", value)


def _body_size(body: bytes) -> str:
    return f"<{len(body)} bytes>"


def _env_names(env: Optional[Mapping[str, str]]) -> str:
    return "None" if env is None else f"<{', '.join(sorted(env))}>"


@attrs.frozen
class ExecuteRequest:
    """The arguments of :meth:`Buntime.execute <buntime.Buntime.execute>` as one value.

    Arguments:
        code: JavaScript or TypeScript; exactly one of ``code`` and ``command``.
        command: a line for the shell.
        files: written to the workspace first, all or none: ``{path: content}``, or the API's own
            ``[{"path": ..., "content": ...}]``.
        env: environment variables of this execution only. ``repr`` shows their names.
        timeout: whole seconds the execution may take; the session's limit where left out.
        working_dir: a path in the workspace; ``/workspace`` where left out.
        check: raise :class:`~buntime.ExecutionFailedError` for a non-zero exit code or a time limit.
        idempotent: running it twice does no harm, so it is retried as a read is.
        session_id: where to run it; left out where a session runs it.

    Raises ``TypeError`` or ``ValueError`` naming the argument.
    """

    code: Optional[str] = None
    command: Optional[str] = attrs.field(default=None, kw_only=True)
    files: tuple[tuple[str, str], ...] = attrs.field(default=(), kw_only=True, converter=_validate.files)
    env: Optional[Mapping[str, str]] = attrs.field(
        default=None, kw_only=True, converter=_validate.env, repr=_env_names
    )
    timeout: Optional[int] = attrs.field(default=None, kw_only=True, converter=_timeout)
    working_dir: Optional[str] = attrs.field(default=None, kw_only=True)
    check: bool = attrs.field(default=False, kw_only=True)
    idempotent: bool = attrs.field(default=False, kw_only=True)
    session_id: Optional[str] = attrs.field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        _validate.optional_text("code", self.code)
        _validate.optional_argument("command", self.command)
        _validate.optional_argument("working_dir", self.working_dir)
        _validate.flag("check", self.check)
        _validate.flag("idempotent", self.idempotent)
        if (self.code is None) == (self.command is None):
            given = "neither was" if self.code is None else "both were"
            raise ValueError(f"exactly one of code and command is needed; {given} given")
        if self.working_dir == "":
            raise ValueError("working_dir is empty; leave it out for /workspace")
        if self.session_id is not None:
            _validate.session_id(self.session_id)


@attrs.frozen
class ExecuteResult:
    """What came of an execution.

    ``execution_time`` and ``cpu_time`` are milliseconds, ``memory_used`` is the peak in bytes; they,
    ``timed_out`` and ``files_written`` are ``None`` where the service did not say. ``exit_code`` is
    ``None`` only where a stream ended without one.
    """

    stdout: str
    stderr: str
    exit_code: Optional[int]
    execution_time: Optional[float] = None
    memory_used: Optional[int] = None
    cpu_time: Optional[float] = None
    timed_out: Optional[bool] = None
    files_written: Optional[tuple[str, ...]] = None
    extra: Mapping[str, Any] = _unknown_fields()

    @property
    def ok(self) -> bool:
        """Whether the execution ended with exit code 0, within its time limit."""
        return self.exit_code == 0 and not self.timed_out

    def check(self) -> ExecuteResult:
        """Return the result itself if it is :attr:`ok`.

        Raises:
            ExecutionTimeoutError: the time limit was reached.
            ExecutionFailedError: the exit code is not 0.
        """
        if self.ok:
            return self
        tail = self.stderr[-_STDERR_TAIL:].strip()
        shown = f"; the end of stderr:\n{tail}\n" if tail else "; stderr is empty"
        if self.timed_out:
            raise ExecutionTimeoutError(f"the execution reached its time limit{shown}", result=self)
        if self.exit_code is None:
            raise ExecutionFailedError(f"the execution ended without an exit code{shown}", result=self)
        raise ExecutionFailedError(f"the execution ended with exit code {self.exit_code}{shown}", result=self)

    def json(self) -> Any:
        """Parse ``stdout`` as JSON; ``ValueError`` (showing its beginning) where it is not."""
        try:
            return json.loads(self.stdout)
        except ValueError as error:
            raise ValueError(f"stdout is not JSON ({error}): {self.stdout[:200]!r}") from error


@attrs.frozen
class StreamEvent:
    """A piece of output as it came: ``kind`` is ``"stdout"`` or ``"stderr"``; another is passed through."""

    kind: str
    text: str


@attrs.frozen
class WriteResult:
    """What a file became: ``path`` relative to the workspace, ``size`` in bytes."""

    path: str
    size: int
    extra: Mapping[str, Any] = _unknown_fields()


@attrs.frozen
class FileInfo:
    """An entry of a folder: ``path`` relative to the workspace, ``size`` in bytes.

    ``type`` is ``"file"`` or ``"directory"``; another value is passed through.
    """

    path: str
    size: int
    modified: Optional[datetime]
    type: str
    extra: Mapping[str, Any] = _unknown_fields()


@attrs.frozen
class TransferResult:
    """What an upload or download did.

    ``transferred`` are the paths of the files whose content or mode travelled, ``size`` their bytes,
    ``unchanged`` how many files were the same already, ``removed`` what was deleted at the target.
    """

    transferred: tuple[str, ...]
    unchanged: int
    removed: tuple[str, ...]
    size: int


@attrs.frozen
class KillResult:
    """How many processes were ended, and which."""

    killed: int
    pids: tuple[int, ...] = ()
    extra: Mapping[str, Any] = _unknown_fields()


@attrs.frozen
class ProcessLogs:
    """What a background process has written, from one pair of offsets to the next.

    The offsets are in bytes, and say where the following piece begins.
    """

    stdout: str
    stderr: str
    stdout_offset: int
    stderr_offset: int


@attrs.frozen
class RateLimit:
    """The ``X-RateLimit-*`` headers: requests allowed and left; the count starts anew at ``reset``.

    ``reset`` is in Unix seconds. A header that is missing or no number is ``None``.
    """

    limit: Optional[int]
    remaining: Optional[int]
    reset: Optional[int]


@attrs.frozen
class APIResponse:
    """The answer to :meth:`Buntime.request <buntime.Buntime.request>`."""

    status: int
    headers: Mapping[str, str]
    content: bytes = attrs.field(repr=_body_size)

    @property
    def text(self) -> str:
        """The body as text; bytes that are not UTF-8 become U+FFFD."""
        return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        """Parse the body as JSON; ``ValueError`` where it is not."""
        return json.loads(self.content)
