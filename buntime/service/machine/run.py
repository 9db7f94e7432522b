"""One execution under way on a real Bun."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Union

from buntime.service.clock import monotonic
from buntime.service.executors import (
    KILLED,
    TIMED_OUT,
    ExecutionLost,
    ExecutionOutcome,
    Output,
    ResourceExceeded,
)
from buntime.service.machine.channel import Channel, ChannelLost, Inbox
from buntime.service.machine.output import BoundedText

if TYPE_CHECKING:
    from buntime.service.machine.executor import BunRuntime

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


class Run:
    """The output and the outcome of one execution; dropping it lets the execution go on unread."""

    def __init__(
        self,
        runtime: BunRuntime,
        channel: Channel,
        inbox: Inbox,
        timeout: Union[float, None],
        maximum: Union[int, None],
    ) -> None:
        self._runtime = runtime
        self._channel = channel
        self._inbox = inbox
        self._timeout = timeout
        self._texts = {kind: BoundedText(maximum) for kind in _KINDS}
        self._started = monotonic()
        self._end: Union[dict[str, Any], None] = None
        self._omitted = (0, 0)
        self._finished = False

    def __del__(self) -> None:
        if self._end is None:
            self._channel.drop(self._inbox)

    def __iter__(self) -> Run:
        return self

    def __next__(self) -> Union[Output, ExecutionOutcome]:
        if self._finished:
            raise StopIteration
        while self._end is None:
            try:
                message = self._channel.receive(self._inbox, self._timeout)
            except ChannelLost as error:
                self._finished, self._end = True, {}
                if self._channel.closing:
                    return self._outcome(KILLED, (monotonic() - self._started) * 1000, 0, 0)
                raise ExecutionLost(f"the session's supervisor was lost: {error}") from error
            if message.get("serving") is True:
                self._runtime.serve()
            for kind, name in _KINDS.items():
                text, size = message.get(kind), message.get("size")
                if isinstance(text, str) and isinstance(size, int):
                    self._texts[kind].add(text, size)
                    return Output(name, text)
            if "exit" in message:
                self._end = message
                if message["exit"] and self._runtime.without_network and self._missed_network():
                    self._texts["err"].add(_NO_NETWORK, len(_NO_NETWORK))
                    return Output("stderr", _NO_NETWORK)
        self._finished = True
        return self._ended(self._end)

    def _missed_network(self) -> bool:
        return bool(_UNRESOLVED.search(self._texts["err"].text()[-_LOOKED_AT:]))

    def _ended(self, message: dict[str, Any]) -> ExecutionOutcome:
        values = [message.get(name) for name in ("exit", "wall", "memory", "cpu")]
        numbers = [value for value in values if isinstance(value, (int, float))]
        if len(numbers) != len(values):
            self._channel.fail("it reported an end without its figures")
            raise ExecutionLost("the session's supervisor reported an end without its figures")
        code, wall, memory, cpu = numbers
        self._omitted = _two_counts(message.get("omitted"))
        over, maximum = message.get("over"), self._runtime.limits.memory
        if over == "memory":
            raise ResourceExceeded(
                "memory_limit_exceeded",
                f"the execution used more than the session's {maximum} MB of memory and was ended",
                {"limit": "memory", "max": maximum, "value": round(memory / 2**20, 1)},
            )
        if over == "time":
            return self._outcome(TIMED_OUT, wall, memory, cpu, timed_out=True)
        return self._outcome(int(code), wall, memory, cpu)

    def _outcome(
        self, code: int, wall: float, memory: float, cpu: float, *, timed_out: bool = False
    ) -> ExecutionOutcome:
        out, err = (self._texts[kind] for kind in ("out", "err"))
        omitted = (out.omitted + self._omitted[0], err.omitted + self._omitted[1])
        return ExecutionOutcome(out.text(), err.text(), code, wall, int(memory), cpu, timed_out, omitted)


def _two_counts(value: Any) -> tuple[int, int]:
    if isinstance(value, list) and [type(count) for count in value] == [int, int]:
        return value[0], value[1]
    return 0, 0
