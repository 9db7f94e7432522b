"""Requests of a session over a devbox: a file in ``~/.buntime`` of the devbox, and a command that runs it.

The command starts Bun with the helper program ``devbox.js`` in the workspace, ``~/workspace``.
"""

from __future__ import annotations

import hashlib
import posixpath
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Optional

from buntime import errors
from buntime._support.collected_text import CollectedText
from buntime.engine.caller import Caller, shorter
from buntime.helpers.runner import error_of, source
from buntime.helpers.unique_names import reserve_unique_name
from buntime.models import ExecuteResult
from buntime.runloop import waiting
from buntime.runloop.connection import Connection
from buntime.runloop.output import completed_output
from buntime.runloop.wire.session_messages import MARK
from buntime.runloop.wire.views.devboxes import DevboxView, ExecutionView
from buntime.wire import constants
from buntime.wire.helper_messages import NUMBERED
from buntime.wire.json import json_body, json_object

FIND_BUN = 'PATH="$PATH:$HOME/.bun/bin:$HOME/.buntime/node_modules/.bin" command -v bun'
INSTALL_BUN = "npm install --prefix .buntime --no-save bun || curl -fsSL https://bun.com/install | bash"
PREPARE = f"mkdir -p .buntime/requests %s; {FIND_BUN} || {{ {{ {INSTALL_BUN}; }} >&2; {FIND_BUN}; }}"
"""The first command, for a folder: it prints the path of Bun, which it installs if the devbox has none."""
WORKSPACE = "workspace"
"""The folder of a session, relative to the home folder of the devbox."""
_STATUSES = {errors.InvalidRequestError: 400, errors.SessionFileNotFoundError: 404}
_NOT_IMPLEMENTED = 501
SHORT = 60
"""Seconds that an operation without a program may take."""
_MOST_ATTEMPTS = 5
_CONSUMED = "ECONSUMED"


def with_status(error: errors.BuntimeError) -> errors.BuntimeError:
    """Return an error of a program in the devbox with the status that buntime.sh has for it."""
    if isinstance(error, errors.APIStatusError) and error.status is None:
        error.status = _STATUSES.get(type(error))
    return error


class Output:
    """The output of a request within ``maximum``, and the outcome, the last line of its standard error."""

    def __init__(self, maximum: Optional[int]) -> None:
        self.texts: dict[str, CollectedText] = {kind: CollectedText(maximum) for kind in ("stdout", "stderr")}
        self.outcome: dict[str, Any] = {}
        self.has_outcome: bool = False
        self._withheld = ""

    def add(self, kind: str, text: str) -> str:
        """Add a piece, and return what of it, and of what was withheld, belongs to the program."""
        if kind == "stderr":
            text = self._without_outcome(self._withheld + text)
        self.texts[kind].add(text)
        return text

    def _without_outcome(self, text: str) -> str:
        start = text.rfind(MARK[0])
        self._withheld = ""
        if start < 0:
            return text
        line, end, after = text[start:].partition("\n")
        if not end and (line.startswith(MARK) or MARK.startswith(line)):
            self._withheld = text[start:]
            return text[:start]
        outcome = json_object(line[len(MARK) :]) if line.startswith(MARK) else None
        if outcome is None:
            return text
        self.outcome, self.has_outcome = outcome, True
        return text[:start] + after

    def end(self, view: ExecutionView, path: Optional[str] = None) -> str:
        """Return the last piece of standard error; the error of the outcome, if it has one, is raised."""
        self.texts["stderr"].add(self._withheld)
        self.outcome.setdefault("exit", view.exit_status)
        if (error := self.outcome.get("error")) is not None:
            raise with_status(error_of("devbox", path, error))
        return self._withheld

    def result(self) -> ExecuteResult:
        """Return the result of a program; the figures of one whose runner was killed are ``None``."""
        out, err, outcome = self.texts["stdout"], self.texts["stderr"], self.outcome
        written = outcome.get("written")
        return ExecuteResult(
            stdout=out.text(),
            stderr=err.text(),
            exit_code=outcome["exit"],
            execution_time=outcome.get("wall"),
            cpu_time=outcome.get("cpu"),
            memory_used=outcome.get("memory"),
            timed_out=outcome.get("timed_out", False),
            files_written=None if written is None else tuple(written),
            stdout_truncated=out.truncated,
            stderr_truncated=err.truncated,
        )


class DevboxRunner:
    """Runs requests on one devbox, and prepares it before the first; ``folder`` is below its home folder."""

    def __init__(self, devbox_id: str, repeat_execute: bool, folder: str = WORKSPACE) -> None:
        self.devbox_id = devbox_id
        self._folder = folder
        self._repeat_execute = repeat_execute
        self._lock = threading.Lock()
        self._command: Optional[str] = None

    @contextmanager
    def connected(self, caller: Caller, limit: float) -> Iterator[Connection]:
        """Return a connection for a call that may take ``limit`` seconds in the devbox.

        An error because the devbox has ended is that of a session that has ended.
        """
        remaining = caller.remaining()
        longest = None if caller.timeout is None else limit + caller.timeout
        deadline = shorter(caller.deadline if remaining is None else remaining, longest)
        connection = Connection(caller.evolve(deadline=deadline, hooks=caller.hooks), self._repeat_execute)
        try:
            with connection.caller.one_deadline():
                yield connection
        except (errors.InvalidRequestError, errors.NotFoundError) as error:
            if error.status is not None and not isinstance(error, errors.SessionNotFoundError):
                self.state(connection)
            raise

    def state(self, connection: Connection) -> DevboxView:
        """Return the state of the devbox; ``SessionNotFoundError`` if it has ended."""
        with suppress(errors.NotFoundError):
            view: DevboxView = connection.call("devboxes.retrieve", self.devbox_id)
            if view.status not in waiting.ENDED:
                return view
        message, code = f"the devbox {self.devbox_id} has ended", constants.SESSION_NOT_FOUND
        raise errors.SessionNotFoundError(message, status=404, code=code)

    def _runner(self, connection: Connection) -> str:
        """Return the command to which the name of a request is added; the first call installs Bun and it."""
        with self._lock:
            if self._command is None:
                command = PREPARE % self._folder
                try:
                    view = waiting.execute(connection, self.devbox_id, {"command": command})
                except errors.ServerError as error:
                    if error.status != _NOT_IMPLEMENTED:
                        raise
                    reason = f"the devbox {self.devbox_id} is one that runs no commands, as on a fake"
                    advice = "script a session of Buntime(transport=fake) instead"
                    raise errors.ConfigurationError(f"{reason}; {advice}") from error
                bun = (view.stdout or "").strip()
                if view.exit_status != 0 or not bun.startswith("/"):
                    stderr = (view.stderr or "").strip()[-500:]
                    reason = f"the devbox {self.devbox_id} has no bun, and it cannot be installed"
                    advice = "create it from a blueprint with Bun"
                    raise errors.ConfigurationError(f"{reason}: {stderr!r}; {advice}")
                program = source("devbox")
                name = f".buntime/run-{hashlib.sha256(program.encode()).hexdigest()[:16]}.ts"
                self._write(connection, name, program)
                home = posixpath.relpath(".", self._folder)
                self._command = f"cd {self._folder} && exec '{bun}' --config=/dev/null {home}/{name} "
            return self._command

    def _write(self, connection: Connection, path: str, content: str) -> None:
        connection.call("devboxes.write_file_contents", self.devbox_id, file_path=path, contents=content)

    @contextmanager
    def staged(self, connection: Connection, op: str, fields: dict[str, Any]) -> Iterator[str]:
        """Write a request, and return the command that runs it.

        Equal requests have equal names, so that a program makes the same calls each time. In this process a
        name has one user at a time, during the block.
        """
        command = self._runner(connection)
        body = json_body("the request", {"op": op, **fields}).decode()
        digest = hashlib.sha256(NUMBERED.sub(r"\1", body).encode()).hexdigest()[:32]
        with reserve_unique_name(self.devbox_id, digest) as name:
            self._write(connection, f".buntime/requests/{name}.json", body)
            yield f"{command}{name}.json"

    def run(
        self,
        connection: Connection,
        op: str,
        fields: dict[str, Any],
        max_output: Optional[int] = None,
        attempts: int = _MOST_ATTEMPTS,
    ) -> Output:
        """Run a request to its end; again if another process with an equal one has consumed its file."""
        try:
            with self.staged(connection, op, fields) as command:
                view = waiting.execute(connection, self.devbox_id, {"command": command})
                output = Output(max_output)
                for kind in output.texts:
                    for piece in completed_output(connection, view, kind):
                        output.add(kind, piece)
                output.end(view, fields.get("path"))
                return output
        except errors.APIStatusError as error:
            if error.code != _CONSUMED or attempts == 1:
                raise
        return self.run(connection, op, fields, max_output, attempts - 1)

    def operate(self, caller: Caller, op: str, **fields: Any) -> dict[str, Any]:
        """Return the outcome of a request without a program."""
        with self.connected(caller, SHORT) as connection:
            return self.outcome(connection, op, fields)

    def outcome(self, connection: Connection, op: str, fields: dict[str, Any]) -> dict[str, Any]:
        """Return the outcome of a request; ``InvalidResponseError`` if there is none, as it was killed."""
        output = self.run(connection, op, fields)
        if not output.has_outcome:
            raise errors.InvalidResponseError(
                f"{op!r} ended in the devbox with exit code {output.outcome['exit']} and without an outcome; "
                f"stderr ends {output.texts['stderr'].text()[-300:]!r}",
                maybe_executed=True,
            )
        return output.outcome
