"""A transport that records what passes through it."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable, Optional, TypeVar, cast

import attrs

from buntime._http import Request, Response, SupportsTime, Transport
from buntime._support.unpicklable import NotPicklable
from buntime.cassette.file import (
    VERSION,
    AnyPath,
    Cassette,
    Interaction,
    interaction_of,
    journal_head,
    journal_line,
    load,
    save,
)
from buntime.cassette.journal import Journal
from buntime.cassette.match import key_of
from buntime.cassette.merge import merge_recordings
from buntime.cassette.pending import PendingInteraction
from buntime.cassette.secrets.redactor import Redactor
from buntime.errors import APIConnectionError, CassetteError
from buntime.wire import volatile

T = TypeVar("T")


@attrs.define
class JournaledInteraction:
    """A finished interaction as its line of the journal: a recording may be long, and bytes cost least."""

    number: int
    thread: int
    line: bytes

    @property
    def interaction(self) -> Interaction:
        return interaction_of(self.line)


class RecordingTransport(NotPicklable):
    """Passes requests on to another transport, and writes what comes of them to a cassette.

    Arguments:
        path: of the cassette, a JSON file; its folder is made.
        inner: where requests go; closed with this transport. Streams are passed on as they come.
        allow: false alarms of the search for well-known keys, each the text found or its beginning.

    What has been recorded so far is in ``PATH.part``. Closing the transport puts it in place of the
    cassette; a recording that changed nothing leaves the file as it is. It belongs to the process that makes
    it: in a forked child a call is a :class:`~buntime.CassetteError`.

    Credentials, secret environment variables and values named like secrets are replaced before anything
    is written; see "Secrets" in the documentation.

    Raises :class:`~buntime.CassetteError` where nothing can be written there.
    """

    sequential = True
    """A pool works on one item after another here: which session gets which is then not left to chance."""

    def __new__(cls, _path: AnyPath, inner: Transport, **_: Any) -> RecordingTransport:
        """Return one that has its inner transport's time, where that owns time."""
        timed = cls is RecordingTransport and isinstance(inner, SupportsTime)
        kind: type[RecordingTransport] = _Timed if timed else cls
        return object.__new__(kind)

    def __init__(self, path: AnyPath, inner: Transport, *, allow: Iterable[str] = ()) -> None:
        if isinstance(allow, str):
            raise TypeError("allow must be several texts, not one")
        if not isinstance(inner, Transport):
            raise TypeError(f"inner must be a transport, not {type(inner).__name__}")
        self._path = Path(path)
        self._inner = inner
        self._today = datetime.now(timezone.utc).date()
        self._masking = Redactor(allow)
        self._lock = threading.RLock()
        self._under_way: dict[int, PendingInteraction] = {}
        self._creating: Counter[str] = Counter()
        self._kept: list[JournaledInteraction] = []
        self._count = 0
        self._problems: dict[str, None] = {}
        self._pid = os.getpid()
        self._closed = False
        self._now = inner.monotonic if isinstance(inner, SupportsTime) else time.monotonic
        self._journal = Journal(self._path.with_name(self._path.name + ".part"), journal_head(self._today))

    def __repr__(self) -> str:
        # A traceback with local variables shows a transport whose construction failed, too.
        inner = getattr(self, "_inner", None)
        return f"<RecordingTransport of {inner!r}>" if inner is not None else "<RecordingTransport, not made>"

    def send(self, request: Request, /) -> Response:
        """Send through the inner transport and record the answer, or the error that it raises.

        Raises ``RuntimeError`` after :meth:`close`.
        """
        if self._closed:
            raise RuntimeError("the transport is closed")
        if os.getpid() != self._pid:
            raise CassetteError("a recording does not go on in a forked process; record there by itself")
        if volatile.is_ping(request.method, request.path, request.body):
            return self._inner.send(request)
        take = self._take(request)
        try:
            response = self._inner.send(request)
        except APIConnectionError as error:
            take.failed(error)
            raise
        except BaseException:
            self._drop(take)
            raise
        return take.tee(response)

    def close(self) -> None:
        """Close the inner transport and put what was recorded in place of the cassette. Idempotent.

        Raises :class:`~buntime.CassetteError` and leaves the cassette as it was where an interaction was
        withheld because it holds a secret, where sessions cannot be told apart, and where the file cannot be
        written. In a process forked from the one that made the transport, it does nothing.
        """
        if self._end():
            try:
                self._finish()
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

    def _end(self) -> bool:
        """Return whether this call is the one that ends the recording."""
        if os.getpid() != self._pid:
            return False
        with self._lock:
            ends, self._closed = not self._closed, True
        return ends

    def _take(self, request: Request) -> PendingInteraction:
        with self._lock:
            found = self._masking.sent(request)
            self._rewrite_with_new_secrets()
            self._count += 1
            take = PendingInteraction(
                self._count, request, found, threading.get_ident(), self._now, self._finished
            )
            self._under_way[take.number] = take
            if (request.method, request.path) == volatile.CREATE:
                self._note_creation(take)
        return take

    def _note_creation(self, take: PendingInteraction) -> None:
        key = key_of(self._masking.request(take.stored))
        self._creating[key] += 1
        if self._creating[key] > 1:
            self._problems.setdefault(
                "ambiguous_session: sessions were created at the same time with the same arguments, so that "
                "replay could not tell them apart; give each its own metadata="
            )

    def _drop(self, take: PendingInteraction) -> None:
        with self._lock:
            del self._under_way[take.number]
            self._no_longer_creating(take)

    def _no_longer_creating(self, take: PendingInteraction) -> None:
        if (take.request.method, take.request.path) == volatile.CREATE:
            self._creating[key_of(self._masking.request(take.stored))] -= 1

    def _finished(self, take: PendingInteraction) -> None:
        """Keep a finished exchange. What goes wrong here is told at the end, not to the caller."""
        if os.getpid() != self._pid:
            return
        with self._lock:
            if self._under_way.pop(take.number, None) is None:
                return
            self._no_longer_creating(take)
            data, surely_clean = self._masking.interaction(take)
            interaction = Interaction(data)
            self._rewrite_with_new_secrets()
            line = journal_line(take.number, interaction)
            blocked = [] if surely_clean else self._masking.blocked(interaction)
            if blocked:
                self._problems.update(
                    dict.fromkeys(f"withheld: {interaction.call} holds {what}" for what in blocked)
                )
                return
            self._kept.append(JournaledInteraction(take.number, take.thread, line))
            self._write(self._journal.append, line)

    def _rewrite_with_new_secrets(self) -> None:
        """Replace a secret that occurred before it was known to be one."""
        forms = self._masking.new_secrets()
        touched = [kept for kept in self._kept if any(form in kept.line for form in forms)] if forms else []
        for kept in touched:
            again = Interaction(self._masking.again(kept.interaction.data))
            kept.line = journal_line(kept.number, again)
        if touched:
            self._write(self._journal.rewrite, [kept.line for kept in self._kept])

    def _write(self, write: Callable[[T], None], what: T) -> None:
        try:
            write(what)
        except OSError as error:
            self._problems.setdefault(f"the recording cannot be written: {error}")

    def _finish(self) -> None:
        for take in list(self._under_way.values()):
            if take.response is not None:
                take.close()
        if self._problems:
            problems = "; ".join(self._problems)
            error = CassetteError(f"the cassette {self._path} was left as it was: {problems}")
            if any(problem.startswith("withheld") for problem in self._problems):
                error.hint = "Pass the secret in env=, or say allow= if it is none"
            raise error
        kept = sorted(self._kept, key=lambda item: item.number)
        new = [item.interaction for item in kept]
        old = self._before()
        interactions = merge_recordings(
            old.interactions if old else (), new, threaded=len({item.thread for item in kept}) > 1
        )
        if old is not None and old.interactions == interactions:
            return
        try:
            save(self._path, Cassette(VERSION, self._today, interactions))
        except OSError as error:
            self._journal.end(keep=True)
            kept_in = f"{self._journal.path} has what was recorded"
            raise CassetteError(f"the cassette {self._path} cannot be written: {error}; {kept_in}") from error

    def _before(self) -> Optional[Cassette]:
        try:
            return load(self._path)
        except CassetteError:
            return None


class _Timed(RecordingTransport):
    """Over a transport that owns time: so does this one."""

    def sleep(self, seconds: float, /) -> None:
        """Wait on the inner transport's clock."""
        cast(SupportsTime, self._inner).sleep(seconds)

    def monotonic(self) -> float:
        """Return seconds on the inner transport's clock."""
        return cast(SupportsTime, self._inner).monotonic()


_Timed.__name__ = RecordingTransport.__name__  # the name that messages show
