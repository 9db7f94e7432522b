"""The state that the objects of one client share."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Callable, Optional

import attrs

import buntime
from buntime._http import CREDENTIALS, BufferedResponse, Headers, Request
from buntime._support.closing import cleanup_seconds
from buntime.client import settings
from buntime.client.owned import OwnedSessions
from buntime.engine.adapter import ServiceAdapter
from buntime.engine.caller import Caller
from buntime.engine.retries import RetryPolicy
from buntime.errors import BuntimeError, ConfigurationError, SessionNotFoundError
from buntime.wire.constants import RATE_LIMIT_HEADERS

if TYPE_CHECKING:
    from buntime.calls.executions import ExecutionCalls
    from buntime.calls.files import FileCalls
    from buntime.calls.sessions import SessionCalls
    from buntime.helpers.runner import Helpers


# The readers of responses and the calls are imported on first use: creating a client must stay cheap.
def _decode_error(request: Request, response: BufferedResponse) -> BuntimeError:
    from buntime.wire.error_responses import decode_error

    return decode_error(request, response)


def _request_id(headers: Headers) -> Optional[str]:
    from buntime.wire.responses import request_id

    return request_id(headers)


BUNTIME_SH = ServiceAdapter(_decode_error, _request_id, RATE_LIMIT_HEADERS)


def _executions(caller: Caller) -> ExecutionCalls:
    from buntime.calls.executions import ExecutionCalls

    return ExecutionCalls(caller)


def _sessions(caller: Caller) -> SessionCalls:
    from buntime.calls.sessions import SessionCalls

    return SessionCalls(caller)


def _files(caller: Caller) -> FileCalls:
    from buntime.calls.files import FileCalls

    return FileCalls(caller)


@attrs.frozen
class ServiceCalls:
    """The calls of a service. Each function returns those of one group, made by a caller."""

    executions: Callable[[Caller], ExecutionCalls]
    sessions: Callable[[Caller], SessionCalls]
    files: Callable[[Caller], FileCalls]


_BUNTIME_SH_CALLS = ServiceCalls(_executions, _sessions, _files)


class Context:
    """The calls of a client, and the sessions that it deletes when it is closed."""

    def __init__(
        self,
        caller: Caller,
        owned: Optional[OwnedSessions] = None,
        calls: ServiceCalls = _BUNTIME_SH_CALLS,
    ) -> None:
        self.caller = caller
        self.owned = owned
        self._calls = calls

    def over(self, caller: Caller) -> Context:
        """Return a context that makes the same calls by another caller."""
        return Context(caller, self.owned, self._calls)

    @cached_property
    def executions(self) -> ExecutionCalls:
        """The endpoints of executions."""
        return self._calls.executions(self.caller)

    @property
    def sessions(self) -> SessionCalls:
        """The endpoints of sessions."""
        return self._calls.sessions(self.caller)

    @property
    def files(self) -> FileCalls:
        """The endpoints of files."""
        return self._calls.files(self.caller)

    @property
    def helpers(self) -> Helpers:
        """The operations that the API does not have."""
        from buntime.helpers.runner import Helpers

        return Helpers(self.executions)

    def for_cleanup(self, error: Optional[BaseException]) -> Context:
        """Return this context; after a Ctrl-C, one without retries for the remaining clean-up seconds."""
        seconds = cleanup_seconds(error)
        return self if seconds is None else self.over(self.caller.for_cleanup(seconds))

    def delete_session(self, session_id: str) -> None:
        """Delete a session; closing the client will not delete it again, unless this fails."""
        try:
            self.sessions.delete(session_id)
        except SessionNotFoundError:
            self._disown(session_id)
            raise
        self._disown(session_id)

    def _disown(self, session_id: str) -> None:
        if self.owned is not None:
            self.owned.discard(session_id)

    def delete_owned(self, last: Optional[str] = None) -> None:
        """Delete every session that the client created, and raise the first error after the last.

        Each is tried once, ``last`` after the others. One whose deletion failed remains the client's.
        """
        failed: Optional[BuntimeError] = None
        tried: set[str] = set()
        # Other threads may create more sessions meanwhile.
        while self.owned is not None and (pending := self.owned.except_for(tried)):
            for session_id in sorted(pending, key=lambda each: each == last):
                tried.add(session_id)
                try:
                    self.delete_session(session_id)
                except SessionNotFoundError:
                    continue
                except BuntimeError as error:
                    failed = failed or error
                except KeyboardInterrupt as interrupt:
                    # The first Ctrl-C leaves its seconds for the others, and then for this one, as its
                    # deletion may hang; a second one leaves none.
                    with suppress(BuntimeError):
                        self.for_cleanup(interrupt).delete_owned(last=session_id)
                    raise
        if failed is not None:
            raise failed

    def __reduce__(self) -> tuple[Any, ...]:
        if self._calls is not _BUNTIME_SH_CALLS:
            raise TypeError("a session over a devbox does not pickle; pass the id of the devbox")
        # Pickled as the context of a client, so that a pickle has public names only.
        return attrgetter("_context"), (object.__new__(buntime.Buntime)._start(self, owns_transport=True),)


def portable_state(context: Context) -> dict[str, Any]:
    """Return a client's settings for a pickle, without its key; ``TypeError`` for another credential."""
    caller = context.caller
    has_key = caller.find_credentials is not None or any(
        isinstance(value, settings.KeyHeader) for _, value in caller.headers
    )
    headers = {
        name: str(value) for name, value in caller.headers if not isinstance(value, settings.KeyHeader)
    }
    secret = sorted(CREDENTIALS.intersection(map(str.lower, headers)))
    if secret:
        raise TypeError(
            f"a client with the header {secret[0]!r} does not pickle: that is a credential; "
            "create one in the other process"
        )
    return {
        "transport": caller.transport,
        "headers": headers,
        "timeout": caller.timeout,
        "deadline": caller.deadline,
        "max_retries": caller.policy.max_retries,
        "retry_delay": caller.policy.retry_delay,
        "on_retry": caller.on_retry,
        "max_output": caller.max_output,
        "has_key": has_key,
        "delete_on_close": context.owned is not None,
    }


def restored_context(state: dict[str, Any]) -> Context:
    """Return a context with the settings of another process and the API key of this one."""
    settings.configure_logging()
    key = settings.api_key(None) if state["has_key"] else None
    if state["has_key"] and key is None:
        raise ConfigurationError(
            "cannot unpickle a client without an API key: a pickle has none; set BUNTIME_API_KEY"
        )
    caller = Caller(
        state["transport"],
        BUNTIME_SH,
        headers=settings.header_pairs(state["headers"], key),
        timeout=state["timeout"],
        deadline=state["deadline"],
        policy=RetryPolicy(state["max_retries"], state["retry_delay"]),
        on_retry=state["on_retry"],
        max_output=state["max_output"],
    )
    return Context(caller, OwnedSessions() if state["delete_on_close"] else None)
