"""The settings that the calls of a client share: transport, headers, clock, deadline, retries."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from typing import Any, Callable, Optional, TypeVar

import attrs

from buntime._http import Pairs, SupportsDate, SupportsTime, Transport
from buntime.engine.adapter import ServiceAdapter, SharedState
from buntime.engine.hooks import CallHooks
from buntime.engine.limits import MAX_OUTPUT, Clock, Deadline, SharedDeadline, SystemTime
from buntime.engine.retries import RetryPolicy
from buntime.errors import BuntimeError

OnRetry = Callable[[BuntimeError, int], object]
Settings = TypeVar("Settings", bound="CallSettings")


@attrs.define(eq=False)
class CallSettings:
    """The settings of calls over one transport; a copy with other settings shares what calls have learnt."""

    transport: Transport
    service: ServiceAdapter
    headers: Pairs
    """Sent with every request; they replace the request's own headers of the same name."""
    timeout: Optional[float]
    deadline: Optional[float]
    policy: RetryPolicy
    on_retry: Optional[OnRetry] = None
    hooks: Optional[CallHooks] = None
    find_credentials: Optional[Callable[[], Pairs]] = None
    """Called by the first call; returns headers that were not known when the caller was made, or raises."""
    max_output: Optional[int] = MAX_OUTPUT
    """Bytes of each output stream that a result has at most, unless the call sets its own bound."""
    shared: SharedState = attrs.field(factory=SharedState)
    _clock: Clock = attrs.field(init=False)
    _header_names: frozenset[str] = attrs.field(init=False)
    _shared_deadline: SharedDeadline = attrs.field(init=False, factory=SharedDeadline)

    def __attrs_post_init__(self) -> None:
        self._clock = self.transport if isinstance(self.transport, SupportsTime) else SystemTime()
        self._header_names = frozenset(name.lower() for name, _ in self.headers)

    def monotonic(self) -> float:
        """Return seconds on the clock that the client measures by."""
        return self._clock.monotonic()

    def time(self) -> float:
        """Return seconds since the epoch: the transport's, if it owns the date."""
        return self.transport.time() if isinstance(self.transport, SupportsDate) else time.time()

    def sleep(self, seconds: float) -> None:
        """Wait on the clock that the client measures by; hooks may end the wait."""
        (self.hooks or self._clock).sleep(seconds)

    def evolve(self: Settings, **changes: Any) -> Settings:
        """Return a copy with other settings over the same transport, by default without hooks."""
        return attrs.evolve(self, **{"hooks": None, **changes})

    def with_headers(self: Settings, added: Pairs) -> Settings:
        """Return a copy that sends these headers, which replace those of the same names."""
        names = {name.lower() for name, _ in added}
        headers = (*(pair for pair in self.headers if pair[0].lower() not in names), *added)
        find_credentials = None if "authorization" in names else self.find_credentials
        return self.evolve(headers=headers, find_credentials=find_credentials)

    def for_background(self: Settings, *, deadline: float) -> Settings:
        """Return a copy for background calls: its own deadline, no ``on_retry``."""
        return self.evolve(deadline=deadline, on_retry=None)

    def without_retries(self: Settings) -> Settings:
        """Return a copy that makes each call once, within the deadline that :meth:`one_deadline` began."""
        caller = self.evolve(policy=attrs.evolve(self.policy, max_retries=0))
        caller._shared_deadline = self._shared_deadline
        return caller

    def for_cleanup(self: Settings, seconds: float) -> Settings:
        """Return a copy that makes each call once, within ``seconds``."""
        policy = attrs.evolve(self.policy, max_retries=0)
        return self.evolve(deadline=seconds, policy=policy, on_retry=None, hooks=self.hooks)

    def one_deadline(self) -> AbstractContextManager[None]:
        """Let all requests of this thread in the block share one deadline, because they are one call."""
        return self._shared_deadline.sharing(self._deadline_from(self._clock.monotonic()))

    def remaining(self) -> float | None:
        """Return the seconds of the deadline that :meth:`one_deadline` began; ``None`` for no end."""
        deadline = self._shared_deadline.deadline
        return None if deadline is None else deadline.remaining()

    def _deadline_from(self, started: float) -> Deadline:
        return Deadline(None if self.deadline is None else started + self.deadline, self._clock)

    def _add_credentials(self, credentials: Pairs) -> None:
        # Two threads may do so at the same time: the result is the same.
        names = frozenset(name.lower() for name, _ in credentials)
        self.headers = (*credentials, *(pair for pair in self.headers if pair[0].lower() not in names))
        self._header_names |= names
        self.find_credentials = None
