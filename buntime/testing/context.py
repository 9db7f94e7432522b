"""Record and replay in tests and scripts; for pytest, the plugin has fixtures."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from traceback import format_exception
from types import FrameType
from typing import Any, Callable, Optional, TypedDict, TypeVar, Union, overload

from buntime import _validate
from buntime._http import Transport
from buntime._support.typing import Unpack
from buntime.cassette.ignore import IgnoreRule, rules_of
from buntime.client.client import Buntime
from buntime.testing import choice
from buntime.testing.modes import CaseSettings, open_case

__all__ = ["cassette"]

C = TypeVar("C")


class CassetteOptions(TypedDict, total=False):
    """The settings of :func:`cassette`."""

    mode: Optional[str]
    source: Union[str, Callable[[], Transport], None]
    allow_unplayed: bool
    allow: Iterable[str]
    ignore: Union[IgnoreRule, Iterable[IgnoreRule]]


@overload
@contextmanager
def cassette(path: Union[str, os.PathLike[str]], **options: Unpack[CassetteOptions]) -> Iterator[Buntime]: ...


@overload
@contextmanager
def cassette(
    path: Union[str, os.PathLike[str]], *, client: type[C], **options: Unpack[CassetteOptions]
) -> Iterator[C]: ...


@contextmanager
def cassette(
    path: Union[str, os.PathLike[str]],
    *,
    client: type[Any] = Buntime,
    mode: Optional[str] = None,
    source: Union[str, Callable[[], Transport], None] = None,
    allow_unplayed: bool = False,
    allow: Iterable[str] = (),
    ignore: Union[IgnoreRule, Iterable[IgnoreRule]] = (),
) -> Iterator[Any]:
    """Return a context manager whose client answers from a cassette, or records one.

    Arguments:
        path: the cassette, a JSON file. Recording creates its folder. A relative path is resolved when the
            block begins.
        client: the class of the client: by default :class:`~buntime.Buntime`, or
            :class:`~buntime.runloop.RunloopSDK`.
        mode: ``"replay"`` answers from the cassette and has no network; ``"record"`` records it again;
            ``"once"`` records it if it does not exist, and replays it otherwise; ``"verify"`` runs against
            the source, compares with the cassette and writes nothing; ``"live"`` runs against the source
            and has no cassette. By default ``--buntime-mode`` of pytest, else ``BUNTIME_MODE``, else
            ``buntime_mode`` in the configuration file of pytest, if it runs, else ``"replay"``.
        source: where to record from: ``"http"``, ``"local"``, or a function that makes a transport. By
            default as for the mode: ``--buntime-source``, ``BUNTIME_TRANSPORT``, ``buntime_source``, else
            ``"http"``. Not used in replay.
        allow_unplayed: let the block end although interactions of the cassette were not played.
        allow: false alarms of the search for secrets; see :class:`~buntime.transport.RecordingTransport`.
        ignore: parts of requests that are new in each run and not compared: fields, regular expressions or
            functions; see :class:`~buntime.transport.ReplayTransport`. In a run of pytest, ``buntime_allow``
            and ``buntime_ignore`` of its configuration file add to these two.

    The end of the block ends the recording; the client need not be closed. A block that raises leaves the
    cassette as it was, and so does one whose test, of pytest or unittest, or a subtest in it fails.

    Raises:
        CassetteError: the cassette is missing or cannot be read; and at the end of a block that did not
            raise: interactions were not played, an interaction was blocked for a secret in it, or in
            ``"verify"`` the service answers differently (with the difference).
        ConfigurationError: ``mode`` or ``source`` is unknown, or the source cannot be made.
        TypeError: ``source`` is none of the above, such as a transport itself, or its function returns no
            transport.
    """
    kind = type(source).__name__
    if not (source is None or isinstance(source, str) or callable(source)):
        raise TypeError(f"source must be 'http', 'local' or a function that makes a transport, not {kind}")
    path = _validate.local_path("path", path).absolute()
    advice = choice.advice(path, mode, "cassette()")
    mode = choice.choose(choice.MODES, ("mode", mode), *choice.defaults("mode"))
    if not callable(source):
        source = choice.choose_source(mode, ("source", source), *choice.defaults("source"))
    settings = CaseSettings(
        mode,
        source,
        advice,
        allow_unplayed=allow_unplayed,
        # One text is an error of the recording.
        allow=allow if isinstance(allow, str) else (*choice.several("allow"), *allow),
        ignore=(*choice.several("ignore"), *rules_of(ignore)),
        client=client,
    )
    case = open_case(path, settings)
    tests = choice.tests()
    failures = tests.failures
    try:
        yield case.client(client)
    except BaseException as error:
        # The caller must see the exception of the block, not one of the cassette.
        with suppress(Exception):
            _add_note(error, case.pop_mismatch())
        with suppress(Exception):
            tests.keep_recording(case)
            case.discard()
        raise
    tests.keep_recording(case)
    if tests.failures > failures or _has_unittest_failed():
        case.discard()
    else:
        case.commit()


def _has_unittest_failed() -> bool:
    """Whether a test of unittest that runs this has failed: a subtest and a clean-up do not see that."""
    unittest: Any = sys.modules.get("unittest.case")
    frame: Optional[FrameType] = sys._getframe()  # public, though its name is not
    while unittest is not None and frame is not None:
        test = frame.f_locals.get("self")
        if isinstance(test, unittest.TestCase) and _has_failed(test, getattr(test, "_outcome", None)):
            return True
        frame = frame.f_back
    return False


def _has_failed(test: Any, outcome: Any) -> bool:
    """Whether a test or a subtest of it failed, or it was skipped as a whole."""
    result = getattr(outcome, "result", None)

    def cases(name: str) -> list[Any]:
        # In Python 3.10 and older, the outcome has them, and ``None`` for the subtests that passed.
        return [case for of in (outcome, result) for case, why in getattr(of, name, ()) if why is not None]

    failed = [getattr(case, "test_case", case) for case in (*cases("errors"), *cases("failures"))]
    return bool(getattr(result, "_excinfo", ())) or test in (*failed, *cases("skipped"))  # that is pytest's


def _add_note(error: BaseException, mismatch: Optional[str]) -> None:
    """Add the mismatch of a block to its exception, unless that shows it; Python 3.10 has no notes."""
    if mismatch is not None and hasattr(error, "add_note"):
        text = "".join(format_exception(type(error), error, error.__traceback__))
        if mismatch.splitlines()[0] not in text:
            error.add_note(mismatch)
