"""A transport that answers from a cassette."""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from datetime import datetime, timezone
from typing import Any, Optional, Union

import attrs

from buntime import _validate
from buntime._http import Request, Response, closed_error
from buntime._support.archive import ZIP
from buntime._support.repetition import with_repetition
from buntime._support.unpicklable import NotPicklable
from buntime.cassette.bindings import Bindings
from buntime.cassette.body import body_bytes, event_bytes, json_bytes, map_outputs, serialize_request
from buntime.cassette.dialect import Dialect, dialect_of
from buntime.cassette.diff import Difference, difference
from buntime.cassette.file import AnyPath, Interaction, load
from buntime.cassette.ignore import Ignore, IgnoreRule
from buntime.cassette.index import Index
from buntime.cassette.match import key_of
from buntime.cassette.secrets.redactor import Redactor
from buntime.errors import APIConnectionError, APITimeoutError, CassetteMismatchError
from buntime.transport._frames import hide_frames, is_expected

_MARK = rb"\u00ab"
_MOST_MISMATCHES = 10


@attrs.frozen
class ReplayMark:
    """A point of a replay, for :meth:`ReplayTransport.rewind`."""

    played: Mapping[int, Optional[str]]
    bindings: Bindings
    polls: Mapping[str, Interaction]


class _Clock(threading.local):
    """The time of one thread."""

    passed: float = 0.0
    date: Optional[tuple[float, float]] = None
    """The date of the last response that shows it, and the time that had passed then."""


class ReplayTransport(NotPicklable):
    """Answers each request from a cassette, immediately and without a network.

    The answer is the first recording that was not played yet, of those with the same method, path, query and
    body; in a cassette that several tests share, one of the same test comes before the others. The order of
    different requests does not matter. A request without a recording is a
    :class:`~buntime.CassetteMismatchError` with the reason and the difference from the closest one.

    Arguments:
        path: of the cassette.
        refresh: how to record it again, for that message; a sentence.
        ignore: parts of requests that are not compared, as they are new in each run: fields, regular
            expressions, or functions; see "Values that change" in the documentation.

    Nothing waits: a pause between attempts passes on a clock of the transport. The date is that of the
    recording. A forked child plays a copy of the remaining interactions, which does not affect its parent.
    Raises :class:`~buntime.CassetteError` if the cassette does not exist or cannot be read.
    """

    sequential = True
    """A pool works on one item after another, as it did when the cassette was recorded."""
    test: Optional[str] = None
    """The test that sends requests from now on, of several that share the cassette: its own come first."""

    def __init__(
        self,
        path: AnyPath,
        *,
        refresh: Optional[str] = None,
        ignore: Union[IgnoreRule, Iterable[IgnoreRule]] = (),
    ) -> None:
        _validate.local_path("path", path)
        self._path = os.fspath(path)
        self._refresh = refresh or (
            f"To record it again, run the program with BUNTIME_TRANSPORT=record:{self._path}, "
            f"or record+local:{self._path}"
        )
        self._ignore = Ignore(ignore)
        cassette = load(path)
        self._interactions = cassette.interactions
        self._bindings = Bindings()
        self._index = Index(self._interactions, self._bindings, self._ignore, {})
        self._polls: dict[str, Interaction] = {}
        self._clock = _Clock()
        day = cassette.changed
        self._date = datetime(day.year, day.month, day.day, tzinfo=timezone.utc).timestamp()
        self._closed = False
        self._mismatches: list[str] = []

    def __repr__(self) -> str:
        # A traceback with local variables shows a transport whose construction failed, too.
        path = getattr(self, "_path", None)
        return f"ReplayTransport({path!r})" if path is not None else "<ReplayTransport, not made>"

    @property
    def mismatches(self) -> list[str]:
        """The first ten requests without a recording, as errors in words.

        Those are left out that a function on the stack of a thread expects: it names
        ``CassetteMismatchError`` or ``CassetteError``, to catch it.
        """
        return self._mismatches

    @property
    def unplayed(self) -> list[str]:
        """The interactions that no request has asked for, in words."""
        count = len(self._interactions)
        return [
            f"interaction {number} of {count}: {item.description}" for number, item in self._index.unplayed()
        ]

    def send(self, request: Request, /) -> Response:
        """Return the recorded answer, or raise the recorded :class:`~buntime.APIConnectionError`.

        Raises :class:`~buntime.CassetteMismatchError` if there is no recording, and ``RuntimeError`` after
        :meth:`close`.
        """
        if self._closed:
            raise closed_error(request)
        unrecorded = dialect_of(request.path).unrecorded_response(request)
        if unrecorded is not None:
            return Response(200, [("Content-Type", "application/json")], [unrecorded])
        self._index.bind_credentials(request.headers)
        item = None if request.poll or request.origin else self._index.pop_exact(request, self.test)
        if item is None:
            serialized = serialize_request(request)
            # A poll waits for the end, which the recording has; an earlier state was seen by another request.
            item = self._index.pop_equivalent(serialized, self.test, _is_final if request.poll else None)
            if request.poll:
                item = self._poll(item, serialized)
            if item is None:
                error = self._no_answer(request, serialized)
                error.call = f"{request.method} {request.path}"
                if len(self._mismatches) < _MOST_MISMATCHES and not is_expected():
                    self._mismatches.append(str(error))
                raise error
        return self._play(item, request)

    def _poll(self, item: Optional[Interaction], request: Mapping[str, Any]) -> Optional[Interaction]:
        """Return the last response that only asks to poll again, as long as there is no other."""
        key = key_of(request)
        if item is None:
            return self._polls.get(key)
        if not _is_final(item):
            self._polls[key] = item
        return item

    def mark(self) -> ReplayMark:
        """Return a mark of the interactions played so far, for :meth:`rewind`."""
        return ReplayMark(*self._index.progress(), {**self._polls})

    def rewind(self, mark: ReplayMark) -> None:
        """Let the interactions that the test played after a mark be played again, but not those of others.

        Its secrets may be others than those of the first attempt.
        """
        played, _ = self._index.progress()
        others = {number: test for number, test in played.items() if test != self.test}
        self._bindings, self._polls = deepcopy(mark.bindings), {**mark.polls}
        self._index = Index(self._interactions, self._bindings, self._ignore, {**mark.played, **others})

    def sleep(self, seconds: float, /) -> None:
        """Let time pass on this thread's clock; nothing waits."""
        self._clock.passed = self.monotonic() + seconds

    def monotonic(self) -> float:
        """Return the seconds that were slept in this thread."""
        return self._clock.passed

    def time(self) -> float:
        """Return the date of the recording in seconds since the epoch, as its last response shows it."""
        date, passed = self._clock.date or (self._date, 0.0)
        return float(date + self.monotonic() - passed)

    def close(self) -> None:
        """Answer no more requests. Idempotent."""
        self._closed = True

    def _play(self, item: Interaction, request: Request) -> Response:
        response = item.response
        if response is None:
            raise self._failure(item.error or {}, request)
        dialect = dialect_of(item.request["path"])
        date = dialect.date_of(response.get("json"))
        if date is not None:
            self._date, self._clock.date = date, (date, self.monotonic())
        fill, recorded = self._bindings.fill_text, response.get("headers", {})
        headers = {name: value if value.isascii() else str(fill(value)) for name, value in recorded.items()}
        chunks: Iterable[bytes]
        if "events" in response:
            chunks = self._events(response["events"], item, dialect)
        else:
            body = self._body(response, item, dialect)
            chunks = (body,) if body else ()
        if item.error is not None or response.get("left"):
            chunks = self._cut_off(chunks, item, request)
        return Response(response["status"], headers, chunks)

    def _cut_off(self, chunks: Iterable[bytes], item: Interaction, request: Request) -> Iterator[bytes]:
        yield from chunks
        if item.error is not None:
            raise self._failure(item.error, request)
        further = f"the recorded program read no further in the answer to {item.call}"
        raise self._mismatch(Difference("left", further))

    def _events(
        self, events: Sequence[Sequence[Any]], item: Interaction, dialect: Dialect
    ) -> Iterator[bytes]:
        outputs: dict[str, list[str]] = defaultdict(list)
        for moment, *recorded in events:
            event = self._bindings.fill(recorded)
            if len(event) == 2:
                parsed = dialect.read_event(*event)
                if parsed.text is not None:
                    outputs[parsed.kind].append(parsed.text)
                elif parsed.is_end:
                    event[1] = map_outputs(event[1], outputs, with_repetition)
            yield from map(event_bytes, dialect.encode_response(item.request, [[moment, *event]]))

    def _body(self, response: Mapping[str, Any], item: Interaction, dialect: Dialect) -> bytes:
        if "json" in response:
            value = response["json"]
            body = json_bytes(value)
            # Faster than `in`, which first tries to take the mark for a number.
            filled = value if body.find(_MARK) < 0 else self._bindings.fill(value)
            encoded = dialect.encode_response(item.request, filled) if isinstance(filled, dict) else filled
            is_same = encoded is value and response.get("headers", {}).get("Content-Type") != ZIP
            return body if is_same else body_bytes({**response, "json": encoded})
        body = body_bytes(response)
        if "base64" in response:
            if b"\xab" not in body:
                return body
            return str(self._bindings.fill(body.decode("latin-1"))).encode("latin-1", "replace")
        return body_bytes(self._bindings.fill(response))

    def _failure(self, error: Mapping[str, Any], request: Request) -> APIConnectionError:
        message = f"{error['message']} (recorded)"
        if error["kind"] != "timeout":
            return APIConnectionError(message, phase=error["phase"])
        waited = request.connect_timeout if error["phase"] == "connect" else request.read_timeout
        self.sleep(waited or 0.0)
        return APITimeoutError(message, phase=error["phase"])

    def _no_answer(self, request: Request, serialized: dict[str, Any]) -> CassetteMismatchError:
        # The message must show no secret: those of the recording have its placeholders in it.
        redactor = Redactor()
        for placeholder, value in self._bindings.items():
            redactor.secrets.define(placeholder, value)
        redactor.learn_request(request, serialized)
        sent = redactor.redact({"request": serialized})["request"]
        interactions: Sequence[Interaction] = self._interactions
        if self._ignore:
            interactions = [
                Interaction({**item.data, "request": self._ignore.request(item.request)})
                for item in interactions
            ]
        unplayed = [interactions[number - 1] for number, _ in self._index.unplayed()]
        reason = difference(self._ignore.request(sent), interactions, unplayed)
        if self._ignore.unmatched:
            rules = ", ".join(map(repr, self._ignore.unmatched))
            reason = attrs.evolve(reason, sentence=f"{reason.sentence}\n  no request matches ignore={rules}")
        return self._mismatch(reason)

    def _mismatch(self, reason: Difference) -> CassetteMismatchError:
        message = f"the cassette {self._path} has no answer [{reason.reason}]: {reason.sentence}"
        if reason.diff:
            message += f"\n\n{reason.diff}\n"
        error = CassetteMismatchError(message, reason=reason.reason, closest=reason.diff or None)
        error.hint = self._refresh
        if reason.varying:
            error.hint = (
                f"{reason.varying} is new in each run, which a new recording does not help. "
                "Pass it in as an argument, freeze it in the test, or ignore it with ignore="
            )
            if not reason.only_varying:
                error.hint += f". For the other differences: {self._refresh}"
        hide_frames()
        return error


def _is_final(item: Interaction) -> bool:
    """Whether the end of a wait is in the response."""
    response = item.response
    return not response or not dialect_of(item.request["path"]).is_pending(item.request, response)
