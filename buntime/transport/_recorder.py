"""The recording of a cassette: its interactions as they end, and the file at its end."""

from __future__ import annotations

import sys
import threading
import time
import warnings
import weakref
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Optional, Union

from buntime._http import Body, Headers, Request, SupportsTime, Transport
from buntime._support.owner import Owner
from buntime.cassette import file
from buntime.cassette.body import serialize_request, to_json
from buntime.cassette.dialect import dialect_of
from buntime.cassette.file import Cassette, Interaction
from buntime.cassette.history import History
from buntime.cassette.ids import FileStates, Numbering
from buntime.cassette.ignore import Ignore, IgnoreRule
from buntime.cassette.journal import Journal
from buntime.cassette.match import key_of
from buntime.cassette.merge import merge_recordings, with_secrets_numbered
from buntime.cassette.pending import PendingInteraction
from buntime.cassette.rehearsal import shown_early
from buntime.cassette.secrets import detect
from buntime.cassette.secrets.redactor import Redactor
from buntime.errors import CassetteError
from buntime.transport._journaled import JournaledInteraction

_PROBLEMS_SHOWN = 10
_LARGE_BODY = 1 << 16
"""Bytes of a body from which on it takes a millisecond to serialize."""
_AMBIGUOUS = (
    "ambiguous_session: sessions or devboxes were created at the same time with the same arguments, so that "
    "replay could not tell them apart; give each its own metadata="
)


class Recorder:
    """Keeps the interactions of a recording, without their secrets, in its ``.part``.

    A recording that is neither saved nor discarded is reported when the program ends.
    """

    def __init__(
        self,
        path: Path,
        inner: Transport,
        allow: Iterable[str],
        ignore: Union[IgnoreRule, Iterable[IgnoreRule]],
    ) -> None:
        self.now = inner.monotonic if isinstance(inner, SupportsTime) else time.monotonic
        self.owner = Owner()
        self.ended = False
        self._path = path
        self._today = datetime.now(timezone.utc).date()
        self._redactor = Redactor(allow)
        self._history = History()
        self._file_states = FileStates()
        self._ignore = Ignore(ignore)
        self._lock = threading.RLock()
        self._pending: dict[int, PendingInteraction] = {}
        self._finished: dict[int, JournaledInteraction] = {}
        self.count = 0
        self._is_repeated = False
        """Whether an attempt was dropped, so that numbers of secrets may be missing."""
        self._polls: dict[str, int] = {}
        """The last response to each poll that only asks to poll again; the next one replaces it."""
        self._problems: dict[str, None] = {}
        part = path.with_name(f"{path.name}.part")
        self.journal = Journal(part, file.journal_head(self._today))
        self._finalizer = weakref.finalize(
            self, _report_unclosed, path, self.journal, self._finished, self.owner
        )

    def begin(self, request: Request, test: Optional[str]) -> PendingInteraction:
        """Note a request in the order of the program; it is serialized while the service works.

        It is serialized before if it is large, as that would use up its time, or if others are in flight, as
        it may be a creation that replay cannot tell from theirs.
        """
        with self._lock:
            self.count += 1
            pending = PendingInteraction(
                self.count, request, test, self.now(), self.now, self.learn, self.finish
            )
            self._pending[pending.number] = pending
            is_large = isinstance(request.body, Body) or len(request.body or b"") > _LARGE_BODY
            if is_large or len(self._pending) > 1:
                for each in self._pending.values():
                    self.learn(each)
        return pending

    def learn(self, pending: PendingInteraction) -> None:
        """Serialize a request and note its secrets, unless that was done."""
        with self._lock:
            if not pending.serialized:
                try:
                    self._learn(pending)
                except Exception as error:  # of a body that is nested too deeply, say
                    self._give_up(pending, error)

    def _learn(self, pending: PendingInteraction) -> None:
        serialized = serialize_request(pending.request)
        if pending.test is not None:
            named = {"method": serialized["method"], "path": serialized["path"], "test": pending.test}
            # A well-known key in the parameter of a test would block a recording that does not have it.
            if not self._redactor.blocked({"request": named}):
                serialized["test"] = pending.test
        pending.dialect = dialect_of(serialized["path"])
        pending.in_values = self._redactor.learn_request(pending.request, serialized)
        self._redact_again()
        pending.request_json = to_json(serialized)
        pending.may_have_key = detect.may_have_key(pending.request_json)
        if len(self._pending) > 1 and pending.dialect.is_creation(serialized):
            others = [each.serialized for each in self._pending.values() if each.serialized]
            if self._key_of(serialized) in map(self._key_of, others):
                self._problems.setdefault(_AMBIGUOUS)
        pending.serialized = serialized

    def _key_of(self, request: Mapping[str, Any]) -> str:
        return key_of(self._ignore.request(request))

    def drop(self, pending: PendingInteraction) -> None:
        """Leave out a request that failed in a way that no replay can raise again."""
        with self._lock:
            self._pending.pop(pending.number, None)

    def finish(self, pending: PendingInteraction) -> None:
        """Keep a finished interaction."""
        if not self.owner.is_this_process():
            return
        with self._lock:
            if self._pending.pop(pending.number, None) is None:
                return
            self.learn(pending)
            try:
                if pending.serialized:
                    self._keep(pending)
            except Exception as error:
                self._give_up(pending, error)

    def _keep(self, pending: PendingInteraction) -> None:
        number, original = pending.number, {"request": pending.serialized, **pending.outcome()}
        headers = pending.response.headers if pending.response is not None else Headers()
        in_values = self._redactor.learn_response(original, headers) or pending.in_values
        self._file_states.number(original)
        self._redact_again()
        line = file.journal_line(number, original, pending.request_json)
        may_have_key = pending.may_have_key or (
            isinstance(line, str) and detect.may_have_key(line[len(pending.request_json) :])
        )
        finished = JournaledInteraction(number, pending.thread, pending.test, line, in_values, may_have_key)
        self._finished[number] = finished
        if pending.request.poll:
            self._collapse(pending, original)
        self._history.add(number, line)
        self._redact(finished, original)

    def _give_up(self, pending: PendingInteraction, error: Exception) -> None:
        """Have :meth:`save` raise an error that the program has nothing to do with.

        Nothing more is written: the secrets of this interaction may not be known.
        """
        call = f"{pending.request.method} {pending.request.path}"
        self._problems.setdefault(
            f"interaction {pending.number}, {call}, cannot be recorded ({type(error).__name__})"
        )
        self.journal.end()

    def _forget(self, number: int) -> None:
        finished = self._finished.pop(number)
        if finished.position >= 0:
            self.journal.replace(finished.position, finished.line, "")

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
        new = [*self._redactor.secrets.new]
        for number in sorted(self._history.containing(new) & self._finished.keys()) if new else ():
            finished = self._finished[number]
            self._redact(finished, file.interaction_of(finished.original).data)
        del self._redactor.secrets.new[: len(new)]  # at the end, as a Ctrl-C may come before

    def _redact(self, item: JournaledInteraction, original: Any) -> None:
        line, blocked = self._redactor.redact_line(
            item.original, original, item.number, in_values=item.in_values, may_have_key=item.may_have_key
        )
        item.blocked = []
        if blocked:
            interaction = file.interaction_of(line)
            # A key may be in the words on what it runs.
            has_key = any(detect.keys_in(interaction.description, ()))
            what = interaction.call if has_key else interaction.description
            item.blocked = [f"interaction {item.number}, {what}, holds {kind}" for kind in blocked]
            line = file.journal_gap(item.number, item.blocked)
        try:
            if line and not item.line:
                item.position = self.journal.append(line)
            elif line != item.line:
                item.position = self.journal.replace(item.position, item.line, line)
        except OSError as error:
            self._problems.setdefault(f"the recording cannot be written: {error}")
        item.line = line

    def rewind(self, mark: int, test: Optional[str]) -> None:
        """Drop the interactions of a test that were begun after this count."""
        with self._lock:
            items = [item for item in self._finished.values() if item.number > mark and item.test == test]
            for item in items:
                self._forget(item.number)
                self._is_repeated = True

    def end(self) -> bool:
        """Return whether this call is the one that ends the recording."""
        if not self.owner.is_this_process():
            return False
        with self._lock:
            ends, self.ended = not self.ended, True
        self._finalizer.detach()
        return ends

    def save(self) -> None:
        """Put the recording in place of the cassette. Raises :class:`~buntime.CassetteError`."""
        for pending in list(self._pending.values()):
            if pending.response is not None:
                pending.close()
        self._redact_again()
        finished = [item for _, item in sorted(self._finished.items())]
        for item in [each for each in finished if not each.line]:  # a Ctrl-C came before
            self._redact(item, file.interaction_of(item.original).data)
        ids = Numbering(file.interaction_of(item.original) for item in finished)
        new = [item.numbered(self._redactor, ids) for item in finished]
        blocked = [reason for item in finished for reason in item.blocked]
        pairs = ((item, each) for item, each in zip(finished, new) if item.line is not item.original)
        with_secrets = ((item.number, each) for item, each in pairs if not item.blocked)
        for reason in (*blocked, *shown_early(with_secrets, self._redactor)):
            self._problems.setdefault(f"blocked: {reason}")
        if self._problems:
            problems = "; ".join([*self._problems][:_PROBLEMS_SHOWN])
            more = len(self._problems) - _PROBLEMS_SHOWN
            problems += f"; and {more} more" if more > 0 else ""
            error = CassetteError(f"the cassette {self._path} was left as it was: {problems}")
            if any(problem.startswith("blocked") for problem in self._problems):
                error.hint = "Pass a secret in env=, an output by stdin=, or use allow= for a false alarm"
            raise error
        if self._is_repeated:
            new = with_secrets_numbered(new)
        threaded = len({item.thread for item in finished}) > 1
        before: Optional[tuple[Interaction, ...]] = None
        with suppress(CassetteError):
            before = file.load(self._path).interactions
        interactions = merge_recordings(before or (), new, threaded=threaded, ignore=self._ignore)
        if before == interactions:
            return
        try:
            file.save(self._path, Cassette(file.VERSION, self._today, interactions))
        except CassetteError as error:
            self.journal.end(keep=True)
            raise CassetteError(f"{error}; {self.journal.path} has the recording") from error


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
