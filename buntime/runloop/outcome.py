"""The output of a request of a session over a devbox, and its outcome."""

from __future__ import annotations

from typing import Any, Optional

from buntime._support.collected_text import CollectedText
from buntime.errors import APIStatusError, BuntimeError, InvalidRequestError, SessionFileNotFoundError
from buntime.helpers.runner import error_of
from buntime.models import ExecuteResult
from buntime.runloop.wire.views.devboxes import ExecutionView
from buntime.wire.json import json_object

_MARK = "\x1ebuntime:end "


def with_status(error: BuntimeError) -> BuntimeError:
    """Return an error of a program in the devbox with the status that buntime.sh has for it."""
    if isinstance(error, APIStatusError) and error.status is None:
        error.status = {InvalidRequestError: 400, SessionFileNotFoundError: 404}.get(type(error))
    return error


class Output:
    """The output of a request within ``maximum``, and the outcome, the last line of its standard error."""

    def __init__(self, maximum: Optional[int]) -> None:
        self.texts: dict[str, CollectedText] = {kind: CollectedText(maximum) for kind in ("stdout", "stderr")}
        self.outcome: dict[str, Any] = {}
        self._withheld = ""

    def add(self, kind: str, text: str) -> str:
        """Add a piece, and return what of it, and of what was withheld, belongs to the program."""
        if kind == "stderr":
            text = self._without_outcome(self._withheld + text)
        self.texts[kind].add(text)
        return text

    def _without_outcome(self, text: str) -> str:
        start = text.rfind(_MARK[0])
        self._withheld = ""
        if start < 0:
            return text
        line, end, after = text[start:].partition("\n")
        if not end and (line.startswith(_MARK) or _MARK.startswith(line)):
            self._withheld = text[start:]
            return text[:start]
        outcome = json_object(line[len(_MARK) :]) if line.startswith(_MARK) else None
        if outcome is None:
            return text
        self.outcome = outcome
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
