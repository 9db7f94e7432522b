"""The actions of the tools in a sandbox: a session, or a devbox as a session."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Callable, NamedTuple, Optional

from buntime.client.functions import Functions
from buntime.client.session import Session
from buntime.errors import WaitTimeoutError
from buntime.helpers.content import decode_base64
from buntime.helpers.runner import integer_of, list_of
from buntime.helpers.tree import NOTHING_IGNORED, RemoteEntry
from buntime.models import ProcessLogs
from buntime.tools.definitions import DEFAULT_TIMEOUT
from buntime.wire.constants import WORKSPACE

OnOutput = Callable[[str], object]
MOST_ENTRIES = 1000
"""Files and folders of a list."""
_BELOW_CHILDREN = r"(?:.|\n)+/(?:.|\n)+"
_TAG = "BUNTIME_TOOL_CALL"
_KILL_TAGGED = """import {{ readdirSync, readFileSync }} from "node:fs";
for (const pid of readdirSync("/proc").filter(Number)) try {{
  if (readFileSync(`/proc/${{pid}}/environ`, "latin1").split("\\0").includes({tag})) process.kill(+pid, 9);
}} catch {{}}"""


class Program(NamedTuple):
    """A program to run: either code or a command."""

    code: Optional[str] = None
    command: Optional[str] = None
    working_dir: Optional[str] = None


class Ran(NamedTuple):
    """The end of a program: its exit code, ``None`` if it reached its time limit, and its output."""

    exit_code: Optional[int]
    stdout: str
    stderr: str
    is_cut: bool


class Listing(NamedTuple):
    """Paths with their sizes, ``None`` for a folder; ``is_cut`` if there are more."""

    entries: Sequence[tuple[str, Optional[int]]]
    is_cut: bool


def _as_json(value: Any) -> Any:
    """Return a value of JavaScript as JSON has it: bytes in base64, dates in ISO 8601, sets as lists."""
    if isinstance(value, dict):
        return {str(key): _as_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_as_json(item) for item in value]
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value.isoformat() if isinstance(value, datetime) else value


class Sandbox:
    """The operations over a session; each call ends within ``seconds``, retries included.

    ``tag`` is a variable in the environment of its programs, by which :meth:`interrupt` finds them: the API
    has no id for an execution, and could only end all of them.
    """

    def __init__(
        self, session: Session, seconds: float, tag: Optional[str] = None, root: str = WORKSPACE
    ) -> None:
        self.root: str = root
        caller = session._context.caller
        deadline = seconds if caller.deadline is None else min(seconds, caller.deadline)
        self._context = session._context.over(caller.evolve(deadline=deadline, hooks=caller.hooks))
        self._session = Session(self._context, session._created, owned=False)
        self._env = None if tag is None else {_TAG: f"{session.id}-{tag}"}

    def run(self, program: Program, timeout: int, max_output: int, on_output: Optional[OnOutput]) -> Ran:
        """Run a program."""
        options: dict[str, Any] = {**program._asdict(), "timeout": timeout, "env": self._env}
        result = self._session.execute(
            **options, max_output=max_output, on_stdout=on_output, on_stderr=on_output
        )
        is_cut = result.stdout_truncated or result.stderr_truncated
        return Ran(None if result.timed_out else result.exit_code, result.stdout, result.stderr, is_cut)

    def call(self, function: str, arguments: list[Any], timeout: int, on_output: OnOutput) -> str:
        """Call a function and return its value as JSON."""
        value = Functions(self._context).call(
            self._session.id,
            function,
            tuple(arguments),
            timeout=timeout,
            session_limit=None,
            idempotent=False,
            on_stdout=on_output,
            on_stderr=on_output,
            max_output="default",
            env=self._env,
        )
        return json.dumps(_as_json(value), ensure_ascii=False, allow_nan=False, default=str)

    def write(self, path: str, content: str) -> None:
        """Write a file."""
        self._session.files.write(path, content)

    def read(self, path: str, offset: int, length: int) -> tuple[bytes, int]:
        """Return bytes of a file, and its size."""
        reply = self._helper("file_range", path=path, offset=offset, length=length)
        return decode_base64(reply.get("base64")), integer_of(reply, "size")

    def list(self, path: str, *, recursive: bool) -> Listing:
        """List a folder, in one call."""
        ignore = NOTHING_IGNORED if recursive else _BELOW_CHILDREN
        paging = {"after": None, "limit": MOST_ENTRIES, "budget": 1}
        reply = self._helper("file_walk", path=path, hashes=False, ignore=ignore, **paging)
        entries = map(RemoteEntry.parse, list_of(reply, "entries", dict))
        if reply.get("root") is None or RemoteEntry.parse(reply["root"]).type != "directory":
            raise ValueError(f"the workspace has no folder {path!r}")
        pairs = [(each.path, None if each.type == "directory" else each.size) for each in entries]
        return Listing(pairs, reply.get("next") is not None)

    def start(self, program: Program) -> int:
        """Start a program and return the number of its process."""
        options: dict[str, Any] = program._asdict()
        return self._session.start(**options).number

    def logs(
        self, number: int, offsets: tuple[int, int], maximum: int, *, wait: int, kill: bool
    ) -> tuple[Optional[int], ProcessLogs]:
        """Return the exit code of a process, and at most ``maximum`` bytes of each stream."""
        processes = {each.number: each for each in self._session.processes()}
        if number not in processes:
            numbers = ", ".join(map(str, list(processes)[-20:])) or "none"
            raise ValueError(f"there is no process {number}; those of start are: {numbers}")
        process = processes[number]
        if kill:
            process.kill()
        with suppress(WaitTimeoutError):
            process.wait(wait)
        return process.exit_code, process.logs(*offsets, max_output=max(4, maximum))

    def interrupt(self) -> None:
        """End the program that runs, and everything that it started."""
        for name, value in (self._env or {}).items():
            code = _KILL_TAGGED.format(tag=json.dumps(f"{name}={value}"))
            self._session.execute(code, timeout=DEFAULT_TIMEOUT)

    def _helper(self, op: str, **arguments: Any) -> dict[str, Any]:
        return self._context.helpers.run(self._session.id, op, idempotent=True, **arguments)
