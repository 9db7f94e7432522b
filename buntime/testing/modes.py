"""One run of a test or a script over a cassette, in each of the modes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Union

from buntime._support.owner import Owner
from buntime.client import settings
from buntime.client.client import Buntime
from buntime.errors import CassetteError

if TYPE_CHECKING:
    from buntime._http import Transport
    from buntime.transport.recording import RecordingTransport

Source = Union[str, Callable[[], "Transport"]]
"""A name of :data:`~buntime.testing.choice.SOURCES`, or a function that makes the transport."""


def _make_transport(source: Source) -> Transport:
    """Return the transport of a source; ``ConfigurationError`` if it cannot be made."""
    # Checked for every source: a wrong key must be an error before anything is opened.
    has_key = settings.api_key(None) is not None
    return settings.make_transport(source, has_key=has_key) if isinstance(source, str) else source()


class Case:
    """A client over the transport of a mode; ended by :meth:`commit` or :meth:`discard`.

    ``client`` shares the transport and does not close it, so that the end of the case decides whether the
    cassette is written, even if the code under test closes its client.
    """

    def __init__(self, transport: Transport) -> None:
        self._owner = Buntime(transport=transport)
        self.client = self._owner.with_options()

    def commit(self) -> None:
        """End a case that passed; ``CassetteError`` if something is wrong with the cassette."""
        self._owner.close()

    def discard(self) -> list[str]:
        """End a case that failed, and leave its cassette as it was; return notes on the failure."""
        self._owner.close()
        return []


class _Replay(Case):
    def __init__(self, path: Path, *, allow_unplayed: bool, rerecord_command: str) -> None:
        from buntime.transport.replay import ReplayTransport

        if not path.exists():
            raise CassetteError(f"there is no cassette {path}; to record it: {rerecord_command}")
        self._cassette = ReplayTransport(path, refresh=f"To record it again: {rerecord_command}")
        self._path, self._rerecord_command = path, rerecord_command
        self._allow_unplayed = allow_unplayed
        super().__init__(self._cassette)

    def commit(self) -> None:
        unplayed = self._cassette.unplayed
        super().commit()
        if unplayed and not self._allow_unplayed:
            count = "an interaction was" if len(unplayed) == 1 else f"{len(unplayed)} interactions were"
            raise CassetteError(
                "\n  ".join([f"{count} not played of {self._path}:", *unplayed])
                + f"\nTo record it again: {self._rerecord_command}; or use allow_unplayed=True"
            )


class _Record(Case):
    def __init__(self, path: Path, source: Source, allow: Iterable[str]) -> None:
        self._recording = _recording(path, source, allow)
        super().__init__(self._recording)

    def discard(self) -> list[str]:
        self._recording.discard()
        return super().discard()


class _Verify(Case):
    def __init__(self, path: Path, source: Source, allow: Iterable[str], rerecord_command: str) -> None:
        from buntime.cassette import file

        if not path.exists():
            raise CassetteError(
                f"there is no cassette {path} to compare with; to record it: {rerecord_command}"
            )
        self._old = file.load(path)
        self._path, self._rerecord_command = path, rerecord_command
        self._process = Owner()
        self._requests_differ = False
        # Recorded over a copy, so that values that vary from run to run stay as in the cassette.
        self._folder = Path(tempfile.mkdtemp(prefix="buntime-verify-"))
        self._new = self._folder / path.name
        try:
            shutil.copyfile(path, self._new)
            self._recording = _recording(self._new, source, allow)
            super().__init__(self._recording)
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    def commit(self) -> None:
        difference = self._compare()
        if difference:
            who = "the program does not send" if self._requests_differ else "the service does not answer"
            raise CassetteError(
                "\n".join([f"{who} as recorded in {self._path}:", *difference])
                + f"\nTo record it again: {self._rerecord_command}"
            )

    def discard(self) -> list[str]:
        with suppress(CassetteError):
            return self._compare()
        return []

    def _compare(self) -> list[str]:
        from buntime.cassette import diff, file

        if not self._process.is_this_process():
            return []
        try:
            self._owner.close()
            new = file.load(self._new)
            self._requests_differ = diff.count_calls(self._old) != diff.count_calls(new)
            return diff.compare(self._old, new)
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)


def _recording(path: Path, source: Source, allow: Iterable[str]) -> RecordingTransport:
    from buntime.transport.recording import RecordingTransport

    inner = _make_transport(source)
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
    rerecord_command: str,
) -> Case:
    """Return a case of one of the modes; ``rerecord_command`` records its cassette again."""
    if mode == "replay":
        return _Replay(path, allow_unplayed=allow_unplayed, rerecord_command=rerecord_command)
    if mode == "record":
        return _Record(path, source, allow)
    if mode == "verify":
        return _Verify(path, source, allow, rerecord_command)
    return Case(_make_transport(source))
