"""One run of a test or a script over a cassette, in each of the modes."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Union

from buntime.client import settings
from buntime.client.client import Buntime
from buntime.errors import CassetteError

if TYPE_CHECKING:
    from buntime._http import Transport
    from buntime.transport.recording import RecordingTransport

Source = Union[str, Callable[[], "Transport"]]
"""A name of :data:`~buntime.testing.choice.SOURCES`, or what makes the transport."""


def _made(source: Source) -> Transport:
    """Return the transport of a source; ``ConfigurationError`` where it cannot be made."""
    # Looked at for every source: a wrong key must be an error before anything is opened.
    has_key = settings.api_key(None) is not None
    return settings.made(source, has_key=has_key) if isinstance(source, str) else source()


class Case:
    """A client over the transport of a mode; ended by :meth:`finish` or :meth:`abandon`.

    ``client`` shares the transport and does not close it, so that the end of the case decides what becomes
    of the cassette, wherever the code under test closes its client.
    """

    def __init__(self, transport: Transport) -> None:
        self._owner = Buntime(transport=transport)
        self.client = self._owner.with_options()

    def finish(self) -> None:
        """End a case that went well; raises what is wrong with the cassette."""
        self._owner.close()

    def abandon(self) -> list[str]:
        """End a case that failed and leave its cassette as it was; return what may explain the failure."""
        self._owner.close()
        return []


class _Replay(Case):
    def __init__(self, path: Path, *, allow_unplayed: bool, again: str) -> None:
        from buntime.transport.replay import ReplayTransport

        if not path.exists():
            raise CassetteError(f"there is no cassette {path}; to record it: {again}")
        self._cassette = ReplayTransport(path, refresh=f"To record it anew: {again}")
        self._path, self._again = path, again
        self._allow_unplayed = allow_unplayed
        super().__init__(self._cassette)

    def finish(self) -> None:
        unplayed = self._cassette.unplayed
        super().finish()
        if unplayed and not self._allow_unplayed:
            some = "an interaction was" if len(unplayed) == 1 else f"{len(unplayed)} interactions were"
            raise CassetteError(
                "\n  ".join([f"{some} not played of {self._path}:", *unplayed])
                + f"\nTo record it anew: {self._again}; or say allow_unplayed=True"
            )


class _Record(Case):
    def __init__(self, path: Path, source: Source, allow: Iterable[str]) -> None:
        self._recording = _recording(path, source, allow)
        super().__init__(self._recording)

    def abandon(self) -> list[str]:
        self._recording.discard()
        return super().abandon()


class _Verify(Case):
    def __init__(self, path: Path, source: Source, allow: Iterable[str], again: str) -> None:
        from buntime.cassette import file

        if not path.exists():
            raise CassetteError(f"there is no cassette {path} to compare with; to record it: {again}")
        self._old = file.load(path)
        self._path, self._again = path, again
        self._pid = os.getpid()
        self._sent_otherwise = False
        # Recorded over a copy: what varies from run to run keeps the value that the cassette has.
        self._folder = Path(tempfile.mkdtemp(prefix="buntime-verify-"))
        self._new = self._folder / path.name
        try:
            shutil.copyfile(path, self._new)
            self._recording = _recording(self._new, source, allow)
            super().__init__(self._recording)
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    def finish(self) -> None:
        difference = self._compared()
        if difference:
            who = "the program does not send" if self._sent_otherwise else "the service does not answer"
            raise CassetteError(
                "\n".join([f"{who} as {self._path} says:", *difference])
                + f"\nTo record it anew: {self._again}"
            )

    def abandon(self) -> list[str]:
        with suppress(CassetteError):
            return self._compared()
        return []

    def _compared(self) -> list[str]:
        from buntime.cassette import diff, file

        if os.getpid() != self._pid:
            return []
        try:
            self._owner.close()
            new = file.load(self._new)
            self._sent_otherwise = diff.count_calls(self._old) != diff.count_calls(new)
            return diff.compare(self._old, new)
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)


def _recording(path: Path, source: Source, allow: Iterable[str]) -> RecordingTransport:
    from buntime.transport.recording import RecordingTransport

    inner = _made(source)
    try:
        return RecordingTransport(path, inner, allow=allow)
    except BaseException:
        with suppress(Exception):
            inner.close()
        raise


def open_case(
    path: Path,
    *,
    mode: str,
    source: Source,
    allow_unplayed: bool,
    allow: Iterable[str] = (),
    again: str,
) -> Case:
    """Return a case of one of the modes. ``again`` is the command that records the cassette anew."""
    if mode == "replay":
        return _Replay(path, allow_unplayed=allow_unplayed, again=again)
    if mode == "record":
        return _Record(path, source, allow)
    if mode == "verify":
        return _Verify(path, source, allow, again)
    return Case(_made(source))
