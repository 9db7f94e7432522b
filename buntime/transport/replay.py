"""A transport that answers from a cassette."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping
from typing import Any, Optional

from buntime._http import Request, Response
from buntime._support.unpicklable import NotPicklable
from buntime.cassette.body import content, event_bytes
from buntime.cassette.file import AnyPath, Interaction, load
from buntime.cassette.index import Index
from buntime.cassette.match import Difference, difference, key_of
from buntime.cassette.secrets.redactor import live_request, told_request
from buntime.cassette.secrets.registry import PLACEHOLDER, Secrets, map_strings
from buntime.errors import APIConnectionError, APITimeoutError, CassetteMismatchError
from buntime.wire import volatile

_MARK = rb"\u00ab"


class ReplayTransport(NotPicklable):
    """Answers each request as a cassette has it, at once; has no network.

    A request is answered by the first recording that was not played yet, of those with the same method,
    path, query and body; in which order different requests come does not matter. Where there is none,
    :class:`~buntime.CassetteMismatchError` says why and shows the difference from the closest.

    Arguments:
        path: of the cassette.
        refresh: how to record it anew, for that message; a sentence.

    Nothing waits: a pause between attempts passes on a clock of the transport's own. A forked child plays a
    copy of what is left, of which its parent sees nothing. Raises
    :class:`~buntime.CassetteError` where there is no such cassette or it cannot be read.
    """

    sequential = True
    """A pool works on one item after another here, as it did where the cassette was recorded."""

    def __init__(self, path: AnyPath, *, refresh: Optional[str] = None) -> None:
        self._path = os.fspath(path)
        self._refresh = refresh or (
            f"To record it anew, run the program with BUNTIME_TRANSPORT=record:{self._path}, "
            f"or record+local:{self._path}"
        )
        self._interactions = load(path).interactions
        self._secrets = Secrets()
        self._index = Index(self._interactions, self._secrets)
        self._time = threading.local()
        self._closed = False

    def __repr__(self) -> str:
        # A traceback with local variables shows a transport whose construction failed, too.
        path = getattr(self, "_path", None)
        return f"ReplayTransport({path!r})" if path is not None else "<ReplayTransport, not made>"

    @property
    def unplayed(self) -> list[str]:
        """What no request has asked for, in words."""
        count = len(self._interactions)
        return [
            f"interaction {number} of {count}: {_description(item)}" for number, item in self._index.left()
        ]

    def send(self, request: Request, /) -> Response:
        """Return the recorded answer, or raise the recorded :class:`~buntime.APIConnectionError`.

        Raises :class:`~buntime.CassetteMismatchError` where there is none, and ``RuntimeError`` after
        :meth:`close`.
        """
        if self._closed:
            raise RuntimeError("the transport is closed")
        if volatile.is_ping(request.method, request.path, request.body):
            return Response(200, [("Content-Type", "application/json")], [volatile.ping_answer()])
        self._secrets.learn_headers(request.headers)
        identical = self._index.identical(request)
        return self._found(request) if identical is None else self._played(identical, request)

    def sleep(self, seconds: float, /) -> None:
        """Let time pass on this thread's clock; nothing waits."""
        self._time.passed = self.monotonic() + seconds

    def monotonic(self) -> float:
        """Return the seconds that were slept in this thread."""
        passed: float = getattr(self._time, "passed", 0.0)
        return passed

    def close(self) -> None:
        """Answer no more requests. Idempotent."""
        self._closed = True

    def _found(self, request: Request) -> Response:
        sent = live_request(told_request(request, self._secrets), self._secrets)
        item = self._index.equal(key_of(sent))
        if item is None:
            left = [item for _, item in self._index.left()]
            raise self._mismatch(difference(sent, self._interactions, left))
        return self._played(item, request)

    def _played(self, item: Interaction, request: Request) -> Response:
        response = item.response
        if response is None:
            raise self._failure(item.error or {}, request)
        return Response(
            response["status"], response.get("headers", {}), self._chunks(item, response, request)
        )

    def _chunks(self, item: Interaction, response: Mapping[str, Any], request: Request) -> Iterator[bytes]:
        def fill(text: str) -> Any:
            if PLACEHOLDER.fullmatch(text):
                return self._index.live(text)
            return PLACEHOLDER.sub(lambda place: str(self._index.live(place.group())), text)

        if "events" in response:
            for event in response["events"]:
                yield _filled_event(event, fill)
        else:
            yield from _filled(response, fill)
        if item.error is not None:
            raise self._failure(item.error, request)
        if response.get("left"):
            further = f"the program that was recorded read no further in the answer to {item.call}"
            raise self._mismatch(Difference("left", further))

    def _failure(self, error: Mapping[str, Any], request: Request) -> APIConnectionError:
        message = f"{error['message']} (recorded)"
        if error["kind"] != "timeout":
            return APIConnectionError(message, phase=error["phase"])
        waited = request.connect_timeout if error["phase"] == "connect" else request.read_timeout
        self.sleep(waited or 0.0)
        return APITimeoutError(message, phase=error["phase"])

    def _mismatch(self, found: Difference) -> CassetteMismatchError:
        message = f"the cassette {self._path} has no answer [{found.reason}]: {found.sentence}"
        if found.diff:
            message += f"\n\n{found.diff}\n"
        error = CassetteMismatchError(message, reason=found.reason, closest=found.diff or None)
        error.hint = self._refresh
        return error


def _description(item: Interaction) -> str:
    body = item.request.get("json")
    code = (body.get("code") or body.get("command")) if isinstance(body, dict) else None
    lines = [line for line in code.splitlines() if line.strip()] if isinstance(code, str) else []
    return f"{item.call} {lines[0].strip()[:60]!r}" if lines else item.call


def _filled(response: Mapping[str, Any], fill: Any) -> Iterator[bytes]:
    body = content(response)
    if "json" in response and _MARK in body:
        body = content({"json": map_strings(response["json"], fill)})
    elif "text" in response:
        body = str(fill(response["text"])).encode("utf-8", "surrogatepass")
    elif "base64" in response and b"\xab" in body:
        body = str(fill(body.decode("latin-1"))).encode("latin-1", "replace")
    if body:
        yield body


def _filled_event(event: list[Any], fill: Any) -> bytes:
    if "«" not in json.dumps(event, ensure_ascii=False):
        return event_bytes(event)
    return event_bytes([*event[:-1], map_strings(event[-1], fill)])
