"""The reply of a called function: found in its output, and read."""

from __future__ import annotations

from typing import Any, Optional

from buntime import _validate
from buntime._support.collected_text import CollectedText
from buntime._support.typing import OnText
from buntime.errors import InvalidResponseError, JavaScriptError
from buntime.helpers import js_values
from buntime.models import ExecuteResult
from buntime.wire.constants import CALL_MARK
from buntime.wire.json import json_object

_LONGEST_REPLY = 32 * 1024 * 1024
"""Characters of a reply; a longer line is output of a program that imitates one."""


class ReplySeparator:
    """Removes the replies from the text of stdout, which arrives in pieces of any size.

    Each character is searched once, whatever a program prints: outside of a reply only the text that may be
    the beginning of a mark is stored, and the pieces of a reply are joined when its line ends.
    """

    def __init__(self) -> None:
        self.reply: Optional[str] = None
        """The last reply so far."""
        self._beginning = ""
        self._pieces: Optional[list[str]] = None
        self._size = 0

    def feed(self, text: str) -> str:
        """Return the text that is certainly not part of a reply."""
        text = self._beginning + text
        self._beginning = ""
        output = []
        position = 0
        while position < len(text):
            if self._pieces is not None:
                end = text.find("\n", position)
                self._pieces.append(text[position : end if end >= 0 else len(text)])
                self._size += len(self._pieces[-1])
                if self._size > _LONGEST_REPLY:
                    output.append(self.pending())
                elif end >= 0:
                    self.reply, self._pieces = "".join(self._pieces), None
                if end < 0:
                    break
                # The line end belongs to the reply, unless that turned out to be output.
                position = end if self._size > _LONGEST_REPLY else end + 1
                continue
            start = text.find(CALL_MARK, position)
            if start >= 0:
                output.append(text[position:start])
                self._pieces, self._size = [], 0
                position = start + len(CALL_MARK)
                continue
            start = text.rfind(CALL_MARK[0], max(position, len(text) - len(CALL_MARK) + 1))
            if start < 0 or not CALL_MARK.startswith(text[start:]):
                start = len(text)
            output.append(text[position:start])
            self._beginning = text[start:]
            break
        return "".join(output)

    def pending(self) -> str:
        """Return the end of the text, which could have become a reply, as output."""
        pending = self._beginning if self._pieces is None else "".join([CALL_MARK, *self._pieces])
        self._beginning, self._pieces = "", None
        return pending


class PrintedOutput:
    """The output of a function while it arrives: passed on to ``on_stdout``, and collected."""

    def __init__(
        self, separator: ReplySeparator, on_stdout: Optional[OnText], max_output: int | None
    ) -> None:
        _validate.optional_callable("on_stdout", on_stdout, "a str")
        self._separator = separator
        self._on_stdout = on_stdout
        self._streamed = False
        self.collected: CollectedText = CollectedText(max_output)

    def add(self, text: str) -> None:
        """Add a piece of stdout, which may contain a part of the reply."""
        self._streamed = True
        self._pass_on(self._separator.feed(text))

    def end(self, result: ExecuteResult) -> None:
        """Pass on the rest. A service may stream nothing, and return the output with the result."""
        if not self._streamed:
            self.collected.add(self._separator.feed(result.stdout) + self._separator.pending())
            return
        self._pass_on(self._separator.pending())

    def _pass_on(self, output: str) -> None:
        if not output:
            return
        self.collected.add(output)
        if self._on_stdout is not None:
            self._on_stdout(output)


def parse_reply(text: str) -> dict[str, Any]:
    """Return the reply in a line, for :meth:`Functions.value`; a value stays the text of its JSON."""
    # A value is decoded from its own text, so that a large one is not parsed twice.
    if text.startswith('{"value":'):
        return {"json": text[len('{"value":') : -1]}
    reply = json_object(text)
    if reply is None:
        raise InvalidResponseError(
            f"the reply of a call is not a JSON object: {text[:200]!r}", body=text[:500].encode()
        )
    return reply


def decode_value(text: str, result: ExecuteResult) -> Any:
    """Return a value from its JSON; raise what a call raises if Python has none for it."""
    try:
        return js_values.decode(text)
    except js_values.UnfitError as error:
        raise javascript_error({"name": "TypeError", "message": str(error)}, result) from None
    except ValueError as error:
        raise InvalidResponseError(
            f"the value of a call has an unknown form ({error}): {text[:200]!r}",
            body=text[:500].encode("utf-8", "replace"),
        ) from error


def javascript_error(fields: dict[str, Any], result: ExecuteResult) -> JavaScriptError:
    """Return the error for what a function raised."""
    details = fields.get("details")
    return JavaScriptError(
        str(fields.get("message")),
        name=str(fields.get("name")),
        stack=str(fields.get("stack") or ""),
        details=details if isinstance(details, dict) else {},
        result=result,
    )
