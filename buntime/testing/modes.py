"""One run of a test or a script over a cassette, in each of the modes."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Optional, Union

import attrs

from buntime._http import Transport
from buntime._support.owner import Owner
from buntime.cassette import diff
from buntime.cassette.file import Cassette, load
from buntime.cassette.ignore import IgnoreRule
from buntime.client.client import Buntime
from buntime.errors import CassetteError
from buntime.testing.sources import Source, make_transport
from buntime.transport.replay import ReplayTransport

CAUGHT = (
    "the program caught a mismatch with the cassette and went on; "
    "if the test expects it, name CassetteMismatchError in the function that catches it:"
)


@attrs.frozen
class CaseSettings:
    """How a case is opened: ``advice`` records it again; the key of ``client``, a class, is checked first."""

    mode: str
    source: Source
    advice: str
    allow_unplayed: bool = False
    allow: Iterable[str] = ()
    ignore: Union[IgnoreRule, Iterable[IgnoreRule]] = ()
    client: type[Any] = Buntime


class Case:
    """Clients over the transport of a mode; ended by :meth:`commit` or :meth:`discard`.

    ``is_complete`` is false if not everything ran that shares the cassette: interactions may be unplayed
    then. ``played`` counts those that earlier cases over the cassette replayed; :meth:`commit` adds its own.
    """

    def __init__(self, transport: Transport, recording: Optional[Path] = None) -> None:
        self.is_complete = True
        self.played: Counter[str] = Counter()
        self._transport: Any = transport
        self._recording_path = recording
        self._clients: dict[type[Any], Any] = {}

    def client(self, kind: type[Any]) -> Any:
        """Return the client of a class: ``Buntime``, ``RunloopSDK`` or ``Runloop``.

        It shares the transport and does not close it, so that the end of the case decides whether the
        cassette is written, even if the code under test closes its client.
        """
        if kind not in self._clients:
            self._clients[kind] = kind(transport=self._transport).with_options()
        return self._clients[kind]

    def pop_mismatch(self) -> Optional[str]:
        """Return the first mismatch since the last call, in words; none that a function expected."""
        mismatches: list[str] = getattr(self._transport, "mismatches", [])
        first = next(iter(mismatches), None)
        mismatches.clear()
        return first

    def set_test(self, test: Optional[str]) -> None:
        """Name the test that sends requests from now on, for a cassette that several tests share."""
        self._transport.test = test

    def mark(self) -> Any:
        """Return a mark of the interactions in the cassette so far, for :meth:`rewind`."""
        return self._transport.mark()

    def rewind(self, mark: Any) -> None:
        """Undo the interactions since a mark, as a test that failed is repeated."""
        self._transport.rewind(mark)

    def recording(self) -> Optional[Cassette]:
        """Return the interactions so far, or all of those that are replayed; ``None`` without a cassette."""
        return None if self._recording_path is None else load(self._recording_path)

    def commit(self) -> None:
        """End a case that passed; ``CassetteError`` if something is wrong with the cassette."""
        self._transport.close()

    def discard(self) -> list[str]:
        """End a case that failed, and leave its cassette as it was; return notes on the failure."""
        self._transport.close()
        return []


class _Replay(Case):
    def __init__(self, path: Path, settings: CaseSettings) -> None:
        self._refresh = f"To record it again: {settings.advice}"
        self._path, self._settings = path, settings
        super().__init__(ReplayTransport(path, refresh=self._refresh, ignore=settings.ignore), path)
        self._all = Counter(map(_without_number, self._transport.unplayed))

    def commit(self) -> None:
        unplayed = self._transport.unplayed
        self.played.update(self._all - Counter(map(_without_number, unplayed)))
        super().commit()
        if mismatch := self.pop_mismatch():
            raise CassetteError(f"{CAUGHT}\n{mismatch}")
        missing = self._all - self.played
        unplayed = [text for text in unplayed if _without_number(text) in missing]
        if unplayed and self.is_complete and not self._settings.allow_unplayed:
            count = "an interaction was" if len(unplayed) == 1 else f"{len(unplayed)} interactions were"
            listed = "\n  ".join([f"{count} not played of {self._path}:", *unplayed])
            raise CassetteError(f"{listed}\n{self._refresh}; or use allow_unplayed=True")


def _without_number(interaction: str) -> str:
    return interaction.partition(": ")[2]


class _Record(Case):
    def __init__(self, path: Path, settings: CaseSettings) -> None:
        from buntime.transport.recording import RecordingTransport

        inner = make_transport(settings.source, settings.client)
        try:
            transport = RecordingTransport(path, inner, allow=settings.allow, ignore=settings.ignore)
        except BaseException:
            with suppress(Exception):
                inner.close()
            raise
        super().__init__(transport, path.with_name(f"{path.name}.part"))

    def discard(self) -> list[str]:
        self._transport.discard()
        return []


class _Verify(_Record):
    def __init__(self, path: Path, settings: CaseSettings) -> None:
        self._old = load(path)
        self._path, self._settings = path, settings
        self._process = Owner()
        # Recorded over a copy, so that values that vary from run to run stay as in the cassette.
        self._folder = Path(tempfile.mkdtemp(prefix="buntime-verify-"))
        self._new = self._folder / path.name
        try:
            shutil.copyfile(path, self._new)
            super().__init__(self._new, settings)
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    def commit(self) -> None:
        if difference := self._compare():
            raise CassetteError("\n".join([*difference, f"To record it again: {self._settings.advice}"]))

    def discard(self) -> list[str]:
        with suppress(CassetteError):
            return self._compare()
        return []

    def _compare(self) -> list[str]:
        if not self._process.is_this_process():
            return []
        try:
            self._transport.close()
            new = load(self._new)
            old = self._old if self.is_complete else _restrict(self._old, new)
            lines = diff.compare(old, new)
            same_requests = sorted(diff.request_keys(old)) == sorted(diff.request_keys(new))
            who = "the service does not answer" if same_requests else "the program does not send"
            return [f"{who} as recorded in {self._path}:", *lines] if lines else []
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)


def _restrict(old: Cassette, new: Cassette) -> Cassette:
    """Return a cassette without the interactions whose requests another one does not have."""
    remaining = Counter(diff.request_keys(new))
    interactions = []
    for item, key in zip(old.interactions, diff.request_keys(old)):
        remaining[key] -= 1
        if remaining[key] >= 0:
            interactions.append(item)
    return attrs.evolve(old, interactions=tuple(interactions))


def open_case(path: Path, settings: CaseSettings) -> Case:
    """Return a case of the mode of the settings."""
    mode = resolve_once(settings.mode, path)
    if mode == "live":
        return Case(make_transport(settings.source, settings.client))
    if mode == "record":
        return _Record(path, settings)
    if not path.exists():
        error = CassetteError(f"the cassette {path} does not exist")
        error.hint = f"To record it: {settings.advice}"
        raise error
    return _Replay(path, settings) if mode == "replay" else _Verify(path, settings)


def resolve_once(mode: str, path: Path) -> str:
    """Return the mode of a cassette: ``"once"`` records it if it does not exist."""
    return ("replay" if path.exists() else "record") if mode == "once" else mode
