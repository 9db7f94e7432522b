"""Figures that a program forged beside the supervisor of its session became another error, or the result."""

from __future__ import annotations

import json
from typing import Any

import pytest

from buntime.service.executors import ExecutionLost
from buntime.service.machine.channel import Inbox, number_of
from buntime.service.machine.run import Run
from tests.support.cases import in_one_test

_HUGE = "1" + "0" * 400
_FORGED = ["NaN", "Infinity", "-Infinity", "1e999", "true", "null", '"1"', "[1]", _HUGE]


class _Channel:
    """A channel that receives one message."""

    closing = False

    def __init__(self, message: str) -> None:
        self._message = json.loads(message)
        self.failures: list[str] = []

    def receive(self, _inbox: Inbox, _timeout: object) -> Any:
        return self._message

    def fail(self, why: str) -> None:
        self.failures.append(why)


def _run(channel: Any) -> Run:
    return Run(channel, Inbox(1), None, None, memory=1, without_network=False, on_serving=lambda: None)


@in_one_test("name", ["exit", "wall", "memory", "cpu"])
def test_an_end_with_a_forged_figure(name: str) -> None:
    """The supervisor is given up, whatever the figure is, also after too much memory."""
    for value in _FORGED:
        for over in ("null", '"memory"'):
            figures = {"exit": "0", "wall": "1.5", "memory": "2", "cpu": "3", "over": over, name: value}
            channel = _Channel("{" + ", ".join(f'"{key}": {text}' for key, text in figures.items()) + "}")
            with pytest.raises(ExecutionLost):
                next(_run(channel))
            assert ["it reported an end without its figures"] == channel.failures, value


def test_numbers_of_messages() -> None:
    """Only numbers of a size that a supervisor sends are numbers."""
    assert [None] * len(_FORGED) == [number_of(json.loads(value)) for value in _FORGED]
    assert [0, -1, 1.5, 2**53] == [number_of(value) for value in (0, -1, 1.5, 2**53)]
