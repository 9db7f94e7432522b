"""The base of the exceptions: its attributes, its text, and its form in pickles and notebooks."""

from __future__ import annotations

import copyreg
from typing import Any, Optional


class BuntimeError(Exception):
    """The base of every error that buntime raises on purpose.

    ``message`` describes what happened. ``str(error)`` adds the failed call, the number of attempts and the
    next step, and shows control and bidi characters as escapes.
    """

    hint: str = ""
    """The next step for the user."""

    def __init__(
        self,
        message: str,
        *,
        code: Optional[str] = None,
        status: Optional[int] = None,
        details: Any = None,
        retry_after: Optional[float] = None,
        request_id: Optional[str] = None,
        maybe_executed: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        """The service's own error code, such as ``"session_not_found"``."""
        self.status = status
        """The HTTP status of the response; ``None`` if there was none."""
        self.details = details
        """The ``details`` object of the error body, decoded from JSON."""
        self.retry_after = retry_after
        """Seconds after which the service asks clients to retry."""
        self.request_id = request_id
        """The ``X-Request-Id`` of the response, for the service's support."""
        self.attempts = 0
        """How many attempts the call made."""
        self.maybe_executed = maybe_executed
        """Whether the service may have acted on the call although it failed."""
        self.call: str | None = None
        """The call that failed, such as ``"POST /execute"``."""

    def __str__(self) -> str:
        from buntime._support.terminal import printable

        return printable(self._text(), keep="\n\t")

    def _text(self) -> str:
        text = f"{self.call}: {self.message}" if self.call else self.message
        if self.attempts > 1:
            text += f" (after {self.attempts} attempts)"
        if self.request_id:
            text += f" (request id {self.request_id})"
        if self.maybe_executed:
            text += " [the service may have acted on it]"
        separator = "" if text.endswith("\n") else ". "
        return f"{text}{separator}{self.hint}" if self.hint else text

    def _repr_html_(self) -> str:
        from buntime._support import html

        return html.titled(type(self).__name__, html.block(str(self), is_error=True))

    def __reduce__(self) -> tuple[Any, ...]:
        # Without __init__, whose arguments are unknown: a subclass may have its own.
        new: Any = vars(copyreg)["__newobj__"]
        return new, (type(self), *self.args), {**self.__dict__, "args": self.args}
