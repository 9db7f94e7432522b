"""A transport that plays a script, on its own clock."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any, Callable, Union

from buntime.errors import APIConnectionError, Phase
from buntime.transport import Request, Response

Step = Union[Callable[[], Response], Exception]


class OwnClock:
    """The clock of a transport, which only sleeping advances."""

    def __init__(self, now: float = 0.0) -> None:
        self.slept: list[float] = []
        self.now = now

    def sleep(self, seconds: float, /) -> None:
        """Record the pause and advance the clock."""
        self.slept.append(seconds)
        self.now += seconds

    def monotonic(self) -> float:
        """Return the time on the transport's clock."""
        return self.now


class ScriptedTransport(OwnClock):
    """Returns one response after another, repeats the last one, and records all requests.

    A step is a function that returns the response, or an exception to raise. ``takes`` is how many seconds
    each request takes on the transport's clock.
    """

    def __init__(self, *steps: Step, takes: float = 0.0) -> None:
        super().__init__(1000.0)
        self.requests: list[Request] = []
        self.closed = 0
        self.responses_closed = 0
        self._steps = steps
        self._takes = takes

    def send(self, request: Request, /) -> Response:
        """Play the next step."""
        step = self._steps[min(len(self.requests), len(self._steps) - 1)]
        self.requests.append(request)
        self.now += self._takes
        if isinstance(step, Exception):
            raise copy.copy(step)
        response = step()
        return Response(response.status, response.headers, response.chunks, on_close=self._response_closed)

    def _response_closed(self) -> None:
        self.responses_closed += 1

    def close(self) -> None:
        """Count the call."""
        self.closed += 1

    @property
    def calls(self) -> list[str]:
        """The received requests, as ``METHOD path``."""
        return [f"{request.method} {request.path}" for request in self.requests]

    def body(self, index: int = -1) -> Any:
        """Return the JSON body of a request."""
        return json.loads(self.requests[index].content or b"null")

    def header(self, name: str, index: int = -1) -> str | None:
        """Return a header of a request."""
        values = [value for key, value in self.requests[index].headers if key.lower() == name.lower()]
        return values[0] if values else None


def always(response: Callable[..., Response], *args: Any, **options: Any) -> Callable[[], Response]:
    """Return a step that builds a new response each time, because a body can be read only once."""
    return lambda: response(*args, **options)


def lost(phase: Phase = "read") -> APIConnectionError:
    """Return the error of a lost connection."""
    return APIConnectionError("the connection was lost", phase=phase)


def cut(*chunks: bytes, then: Exception) -> Iterator[bytes]:
    """Yield the chunks, then raise."""
    yield from chunks
    raise then
