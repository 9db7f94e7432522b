"""A transport that records what passes through it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Optional, Union

from buntime import _validate
from buntime._http import Request, Response, Transport, closed_error
from buntime._support.unpicklable import NotPicklable
from buntime.cassette.dialect import dialect_of
from buntime.cassette.file import AnyPath
from buntime.cassette.ignore import IgnoreRule
from buntime.errors import APIConnectionError, CassetteError
from buntime.transport._forwarding import forwarding
from buntime.transport._recorder import Recorder


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
    test: Optional[str] = None
    """The test that sends requests from now on, of several that share the cassette, which names it."""

    def __new__(cls, path: AnyPath, inner: Transport, **_: Any) -> RecordingTransport:  # noqa: ARG004 - as of __init__
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
        if isinstance(allow, str) or not isinstance(allow, Iterable):
            raise TypeError(f"allow must be several texts, not {type(allow).__name__}")
        self._inner = inner
        self._recorder = Recorder(_validate.local_path("path", path).absolute(), inner, allow, ignore)

    def __repr__(self) -> str:
        # A traceback with local variables shows a transport whose construction failed, too.
        inner = getattr(self, "_inner", None)
        return f"<RecordingTransport of {inner!r}>" if inner is not None else "<RecordingTransport, not made>"

    def send(self, request: Request, /) -> Response:
        """Send through the inner transport and record the response, or the error that it raises.

        Raises ``RuntimeError`` after :meth:`close`.
        """
        if self._recorder.ended:
            raise closed_error(request)
        if not self._recorder.owner.is_this_process():
            raise CassetteError("RecordingTransport does not work after a fork; create one in the child")
        if dialect_of(request.path).unrecorded_response(request) is not None:
            return self._inner.send(request)
        pending = self._recorder.begin(request, self.test)
        try:
            response = self._inner.send(pending.watched_request())
        except APIConnectionError as error:
            pending.fail(error)
            raise
        except BaseException:
            self._recorder.drop(pending)
            raise
        return pending.tee(response)

    def close(self) -> None:
        """Close the inner transport and put the recording in place of the cassette. Idempotent.

        Raises :class:`~buntime.CassetteError` and leaves the cassette as it was if an interaction was blocked
        because it holds a secret, if sessions cannot be told apart, or if the file cannot be written. In a
        process forked from the one that made the transport, it does nothing.
        """
        if self._recorder.end():
            try:
                self._recorder.save()
            finally:
                self._recorder.journal.end()
                self._inner.close()

    def discard(self) -> None:
        """Close the inner transport and leave the cassette as it was, as after a failed test. Idempotent."""
        if self._recorder.end():
            try:
                self._inner.close()
            finally:
                self._recorder.journal.end()

    def mark(self) -> int:
        """Return a mark of the interactions recorded so far, for :meth:`rewind`."""
        return self._recorder.count

    def rewind(self, mark: int) -> None:
        """Drop the interactions of the test after a mark, which it sends again, but not those of others."""
        self._recorder.rewind(mark, self.test)
