"""A transport that records what passes through it."""

from __future__ import annotations

import sys
import threading
import time
import warnings
import weakref
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Optional, Union

import attrs

from buntime._http import Body, Headers, Request, Response, SupportsTime, Transport, closed_error
from buntime._support.owner import Owner
from buntime._support.unpicklable import NotPicklable
from buntime.cassette import file
from buntime.cassette.body import serialize_request
from buntime.cassette.dialect import dialect_of
from buntime.cassette.file import AnyPath, Cassette
from buntime.cassette.history import History
from buntime.cassette.ignore import Ignore, IgnoreRule
from buntime.cassette.journal import Journal
from buntime.cassette.match import key_of
from buntime.cassette.merge import merge_recordings
from buntime.cassette.pending import PendingInteraction
from buntime.cassette.rehearsal import shown_early
from buntime.cassette.secrets import detect
from buntime.cassette.secrets.redactor import Redactor
from buntime.errors import APIConnectionError, CassetteError
from buntime.transport._forwarding import forwarding

_PROBLEMS_SHOWN = 10
_LARGE_BODY = 1 << 16
"""Bytes of a body from which on it takes a millisecond to serialize."""
_AMBIGUOUS = (
    "ambiguous_session: sessions or devboxes were created at the same time with the same arguments, so that "
    "replay could not tell them apart; give each its own metadata="
)


def _is_large(request: Request) -> bool:
    return isinstance(request.body, Body) or len(request.body or b"") > _LARGE_BODY


@attrs.define
class JournaledInteraction:
    """A finished interaction as its line of the journal: a recording may be long, and bytes cost least."""

    number: int
    thread: int
    original: str
    """The line with its secrets, of which a later one is redacted."""
    in_values: bool
    """Whether its secrets are to be looked for in its values; in the line is faster."""
    may_have_key: bool
    """Whether a well-known key may be in it."""
    blocked: Sequence[str] = ()
    """Why it is not in the recording, if so."""
    line: str = ""
    position: int = -1


class RecordingTransport(NotPicklable):
    """Passes requests on to another transport, and writes requests and responses to a cassette.

    Arguments:
        path: of the cassette, a JSON file; its folder is created. A relative path is resolved immediately.
        inner: where requests go; closed with this transport. Streams are passed on as they come.
        allow: false alarms of the search for well-known keys, each the text found or its beginning.
        ignore: parts of requests that are new in each run, and not a change of the recording: fields,
            regular expressions, or functions; see "Values that change" in the documentation.

    Finished interactions are in ``PATH.part``. Closing the transport puts them in place of the cassette; a
    recording that changed nothing leaves the file as it is. A recording that is never closed is reported
    when the program ends, and ``buntime cassette recover PATH.part`` makes a cassette of it. The transport
    does not work after a fork: in a forked child, a request is a :class:`~buntime.CassetteError`.

    Credentials, secret environment variables and values named like secrets are replaced before anything
    is written; see "Secrets" in the documentation. The transport has the optional protocols of ``inner``,
    such as its time. Raises :class:`~buntime.CassetteError` if nothing can be written there.
    """

    sequential = True
    """A pool works on one item after another, so that each item gets the same session in each run."""

    def __new__(cls, _path: AnyPath, inner: Transport, **_: Any) -> RecordingTransport:
        """Return one that has the optional protocols of the inner transport."""
        return object.__new__(forwarding(cls, inner))

    def __init__(
        self,
        path: AnyPath,
        inner: Transport,
        *,
        allow: Iterable[str] = (),
        ignore: Union[IgnoreRule, Iterable[IgnoreRule]] = (),
    ) -> None:
        if isinstance(allow, str):
            raise TypeError("allow must be several texts, not one")
        if not isinstance(inner, Transport):
            raise TypeError(f"inner must be a transport, not {type(inner).__name__}")
        self._path = Path(path).absolute()
        self._inner = inner
        self._today = datetime.now(timezone.utc).date()
        self._redactor = Redactor(allow)
        self._history = History()
        self._ignore = Ignore(ignore)
        self._lock = threading.RLock()
        self._pending: dict[int, PendingInteraction] = {}
        self._finished: dict[int, JournaledInteraction] = {}
        self._count = 0
        self._polls: dict[str, int] = {}
        """The last response to each poll that only asks to poll again; the next one replaces it."""
        self._problems: dict[str, None] = {}
        self._owner = Owner()
        self._closed = False
        self._now = inner.monotonic if isinstance(inner, SupportsTime) else time.monotonic
        part = self._path.with_name(f"{self._path.name}.part")
        self._journal = Journal(part, file.journal_head(self._today))
        self._finalizer = weakref.finalize(
            self, _report_unclosed, self._path, self._journal, self._finished, self._owner
        )

    def __repr__(self) -> str:
        # A traceback with local variables shows a transport whose construction failed, too.
        inner = getattr(self, "_inner", None)
        return f"<RecordingTransport of {inner!r}>" if inner is not None else "<RecordingTransport, not made>"

    def send(self, request: Request, /) -> Response:
        """Send through the inner transport and record the response, or the error that it raises.

        Raises ``RuntimeError`` after :meth:`close`.
        """
        if self._closed:
            raise closed_error(request)
        if not self._owner.is_this_process():
            raise CassetteError("RecordingTransport does not work after a fork; create one in the child")
        if dialect_of(request.path).unrecorded_response(request) is not None:
            return self._inner.send(request)
        pending = self._begin(request)
        try:
            response = self._inner.send(pending.observed())
        except APIConnectionError as error:
            pending.fail(error)
            raise
        except BaseException:
            self._pending.pop(pending.number, None)
            raise
        return pending.tee(response)

    def close(self) -> None:
        """Close the inner transport and put the recording in place of the cassette. Idempotent.

        Raises :class:`~buntime.CassetteError` and leaves the cassette as it was if an interaction was blocked
        because it holds a secret, if sessions cannot be told apart, or if the file cannot be written. In a
        process forked from the one that made the transport, it does nothing.
        """
        if self._end():
            try:
                self._save()
            finally:
                self._journal.end()
                self._inner.close()

    def discard(self) -> None:
        """Close the inner transport and leave the cassette as it was, as after a failed test. Idempotent."""
        if self._end():
            try:
                self._inner.close()
            finally:
                self._journal.end()

    def mark(self) -> int:
        """Return a mark of the interactions recorded so far, for :meth:`rewind`."""
        return self._count

    def rewind(self, mark: int) -> None:
        """Drop the interactions that were recorded after a mark, as a repeated test sends them again."""
        with self._lock:
            for number in [number for number in self._finished if number > mark]:
                self._forget(number)

    def _forget(self, number: int) -> None:
        finished = self._finished.pop(number)
        if finished.position >= 0:
            self._journal.replace(finished.position, finished.line, "")

    def _end(self) -> bool:
        """Return whether this call is the one that ends the recording."""
        if not self._owner.is_this_process():
            return False
        with self._lock:
            ends, self._closed = not self._closed, True
        self._finalizer.detach()
        return ends

    def _begin(self, request: Request) -> PendingInteraction:
        with self._lock:
            self._count += 1
            pending = PendingInteraction(self._count, request, self._now, self._learn, self._finish)
            self._pending[pending.number] = pending
            # The request is serialized while the service works; before it is sent, if it is large, as that
            # would use up its time, or if others are in flight, among which it may not be told apart.
            if len(self._pending) > 1 or _is_large(request):
                for each in self._pending.values():
                    self._learn(each)
        return pending

    def _learn(self, pending: PendingInteraction) -> None:
        """Serialize a request and note its secrets, unless that was done."""
        with self._lock:
            if pending.serialized:
                return
            serialized = serialize_request(pending.request)
            pending.dialect = dialect_of(serialized["path"])
            pending.in_values = self._redactor.learn_request(pending.request, serialized)
            if self._redactor.secrets.new:
                self._redact_again()
            pending.request_json = file.request_json(serialized)
            pending.may_have_key = detect.may_have_key(pending.request_json)
            if len(self._pending) > 1 and pending.dialect.is_creation(serialized):
                others = [each.serialized for each in self._pending.values() if each.serialized]
                if key_of(serialized) in map(key_of, others):
                    self._problems.setdefault(_AMBIGUOUS)
            pending.serialized = serialized

    def _finish(self, pending: PendingInteraction) -> None:
        """Keep a finished interaction. An error here is raised by close(), not in the caller's request."""
        if not self._owner.is_this_process():
            return
        with self._lock:
            if self._pending.pop(pending.number, None) is None:
                return
            self._learn(pending)
            number, original = pending.number, {"request": pending.serialized, **pending.outcome()}
            headers = pending.response.headers if pending.response is not None else Headers()
            in_values = self._redactor.learn_response(original, headers) or pending.in_values
            if self._redactor.secrets.new:
                self._redact_again()
            line = file.journal_line(number, original, pending.request_json)
            may_have_key = pending.may_have_key or detect.may_have_key(line, len(pending.request_json))
            finished = JournaledInteraction(number, pending.thread, line, in_values, may_have_key)
            self._finished[number] = finished
            if pending.request.poll:
                self._collapse(pending, original)
            self._history.add(number, line)
            self._redact(finished, original)

    def _collapse(self, pending: PendingInteraction, data: dict[str, Any]) -> None:
        """Keep one response to a wait, so that a slower day gives the same cassette."""
        key = key_of(pending.serialized)
        previous = self._polls.pop(key, 0)
        if previous in self._finished:
            self._forget(previous)
        if "response" in data and pending.dialect.is_pending(pending.serialized, data["response"]):
            self._polls[key] = pending.number

    def _redact_again(self) -> None:
        """Redact the interactions with a secret that occurred before it was known to be one."""
        new, self._redactor.secrets.new = self._redactor.secrets.new, []
        for number in sorted(self._history.containing(new) & self._finished.keys()):
            finished = self._finished[number]
            self._redact(finished, file.interaction_of(finished.original).data)

    def _redact(self, finished: JournaledInteraction, original: Any) -> None:
        line, blocked = self._redactor.redact_line(
            finished.original,
            original,
            finished.number,
            in_values=finished.in_values,
            may_have_key=finished.may_have_key,
        )
        finished.blocked = []
        if blocked:
            item = file.interaction_of(line)
            # A key may be in the words on what it runs.
            what = item.call if any(detect.keys_in(item.description, ())) else item.description
            finished.blocked = [f"interaction {finished.number}, {what}, holds {kind}" for kind in blocked]
            line = file.journal_gap(finished.number, finished.blocked)
        try:
            if line and not finished.line:
                finished.position = self._journal.append(line)
            elif line != finished.line:
                finished.position = self._journal.replace(finished.position, finished.line, line)
        except OSError as error:
            self._problems.setdefault(f"the recording cannot be written: {error}")
        finished.line = line

    def _save(self) -> None:
        for pending in list(self._pending.values()):
            if pending.response is not None:
                pending.close()
        finished = [item for _, item in sorted(self._finished.items())]
        blocked = [reason for item in finished for reason in item.blocked]
        lines = ((item.number, item.line) for item in finished if not item.blocked)
        for reason in (*blocked, *shown_early(lines, self._redactor)):
            self._problems.setdefault(f"blocked: {reason}")
        if self._problems:
            problems = "; ".join([*self._problems][:_PROBLEMS_SHOWN])
            more = len(self._problems) - _PROBLEMS_SHOWN
            problems += f"; and {more} more" if more > 0 else ""
            error = CassetteError(f"the cassette {self._path} was left as it was: {problems}")
            if any(problem.startswith("blocked") for problem in self._problems):
                error.hint = "Pass a secret in env=, an output by stdin=, or use allow= for a false alarm"
            raise error
        new = [file.interaction_of(item.line) for item in finished]
        threaded = len({item.thread for item in finished}) > 1
        old: Optional[Cassette] = None
        with suppress(CassetteError):
            old = file.load(self._path)
        before = old.interactions if old else ()
        interactions = merge_recordings(before, new, threaded=threaded, ignore=self._ignore)
        if old is not None and before == interactions:
            return
        try:
            file.save(self._path, Cassette(file.VERSION, self._today, interactions))
        except OSError as error:
            self._journal.end(keep=True)
            raise CassetteError(
                f"the cassette {self._path} cannot be written: {error}; "
                f"{self._journal.path} has the recording"
            ) from error


def _report_unclosed(path: Path, journal: Journal, finished: dict[int, Any], owner: Owner) -> None:
    """Report a recording that was never closed, and keep its ``.part``."""
    if not owner.is_this_process():
        return
    journal.end(keep=bool(finished))
    if finished:
        message = (
            f"the recording of {path} was never closed: close its client or its transport. "
            f"To make a cassette of it: buntime cassette recover {journal.path}"
        )
        with suppress(OSError, ValueError, AttributeError):
            sys.stderr.write(f"buntime: {message}\n")
        warnings.warn(message, ResourceWarning, stacklevel=2)
