"""One execution under way on a real Bun."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Callable, Literal, Union

import attrs

from buntime._support.collected_text import CollectedText
from buntime.service.clock import monotonic
from buntime.service.executors import (
    KILLED,
    TIMED_OUT,
    ExecutionLost,
    ExecutionOutcome,
    Output,
    ResourceExceeded,
)
from buntime.service.machine.channel import Channel, ChannelLost, Inbox, number_of

_UNRESOLVED = re.compile(
    "DNSResolveFailed|EAI_AGAIN|ENETUNREACH|[Cc]ould not resolve host|name resolution|resolve host address"
    # Bun before 1.4 names neither the look-up nor the network.
    "|Is the computer able to access the url|Cannot find package '"
)
_LOOKED_AT = 4000
_NO_NETWORK = (
    "buntime: this session has no network; LocalTransport(network=True) or BUNTIME_NETWORK=1 lets it out\n"
)

_KINDS: Mapping[str, Literal["stdout", "stderr"]] = {"out": "stdout", "err": "stderr"}


@attrs.define(eq=False)
class Run:
    """The output and the outcome of one execution; dropping it lets the execution go on unread.

    ``maximum`` is how much of each stream is kept, ``memory`` the session's limit in MB; ``on_serving`` is
    called when there may be a server.
    """

    channel: Channel
    inbox: Inbox
    timeout: Union[float, None]
    maximum: Union[int, None]
    memory: int
    without_network: bool
    on_serving: Callable[[], object]
    _texts: dict[str, CollectedText] = attrs.field(init=False)
    _started: float = attrs.field(init=False, factory=monotonic)
    _exit_message: Union[dict[str, Any], None] = attrs.field(init=False, default=None)
    _is_exhausted: bool = attrs.field(init=False, default=False)

    def __attrs_post_init__(self) -> None:
        self._texts = {kind: CollectedText(self.maximum) for kind in _KINDS}

    def __del__(self) -> None:
        if self._exit_message is None:
            self.channel.drop(self.inbox)

    def __iter__(self) -> Run:
        return self

    def __next__(self) -> Union[Output, ExecutionOutcome]:
        if self._is_exhausted:
            raise StopIteration
        while self._exit_message is None:
            try:
                message = self.channel.receive(self.inbox, self.timeout)
            except ChannelLost as error:
                # A channel that is being closed ends its executions as killed; any other end is the
                # supervisor's fault.
                self._is_exhausted, self._exit_message = True, {}
                if self.channel.closing:
                    return self._make_outcome(KILLED, (monotonic() - self._started) * 1000, 0, 0)
                raise ExecutionLost(f"the session's supervisor was lost: {error}") from error
            if message.get("serving") is True:
                self.on_serving()
            output = self._collect(message)
            if "exit" in message:
                self._exit_message = message
                if message["exit"] and self.without_network and self._missed_network():
                    self._texts["err"].add(_NO_NETWORK)
                    return Output("stderr", _NO_NETWORK)
            elif output is not None:
                return output
        self._is_exhausted = True
        return self._outcome_of(self._exit_message)

    def _collect(self, message: dict[str, Any]) -> Union[Output, None]:
        """Store the output in a message, and return the last piece of it."""
        output = None
        for kind, name in _KINDS.items():
            if isinstance(text := message.get(kind), str):
                self._texts[kind].add(text)
                output = Output(name, text)
        return output

    def _missed_network(self) -> bool:
        return bool(_UNRESOLVED.search(self._texts["err"].text()[-_LOOKED_AT:]))

    def _outcome_of(self, message: dict[str, Any]) -> ExecutionOutcome:
        values = [number_of(message.get(name)) for name in ("exit", "wall", "memory", "cpu")]
        numbers = [value for value in values if value is not None]
        if len(numbers) != len(values):
            self.channel.fail("it reported an end without its figures")
            raise ExecutionLost("the session's supervisor reported an end without its figures")
        code, wall, memory, cpu = numbers
        over, maximum = message.get("over"), self.memory
        if over == "memory":
            raise ResourceExceeded(
                "memory_limit_exceeded",
                f"the execution used more than the session's {maximum} MB of memory and was ended",
                {"limit": "memory", "max": maximum, "value": round(memory / 2**20, 1)},
            )
        timed_out = over == "time"
        code, no_process_left = TIMED_OUT if timed_out else int(code), message.get("no_process_left") is True
        return self._make_outcome(
            code, wall, memory, cpu, timed_out=timed_out, no_process_left=no_process_left
        )

    def _make_outcome(
        self, code: int, wall: float, memory: float, cpu: float, **others: bool
    ) -> ExecutionOutcome:
        out, err = (self._texts.pop(kind).text() for kind in ("out", "err"))
        return ExecutionOutcome(out, err, code, wall, int(memory), cpu, **others)
