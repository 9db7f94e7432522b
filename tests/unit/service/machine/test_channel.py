"""Responses of a supervisor, including invalid ones."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Callable

import pytest

from buntime.service.executors import Limits
from buntime.service.machine.channel import Channel, ChannelLost
from buntime.service.machine.launch import StartMessage, SupervisorProcess

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="supervisors are spoken to through POSIX pipes"
)

Play = Callable[[str], Channel]


@pytest.fixture
def play() -> Iterator[Play]:
    """Return a function that creates a channel to a shell script in place of a supervisor."""
    with ExitStack() as stack:

        def make(script: str) -> Channel:
            errors = stack.enter_context(tempfile.TemporaryFile())
            process = subprocess.Popen(
                ["/bin/sh", "-c", script],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                bufsize=0,
                start_new_session=True,
            )
            start_message = StartMessage.limited(Limits(), 60, workspace="", env={})
            channel = Channel(SupervisorProcess(process, errors, start_message))
            stack.callback(channel.close)
            return channel

        yield make


def test_responses_are_matched_to_requests(play: Play) -> None:
    """By id, in any order and in any pieces; messages with an unknown id are dropped."""
    early, late = '{"id": 2, "a": "b"}\\n{"id"', ': 1}\\n{"id": 9}\\n'
    channel = play(f"printf '{early}'; read a; read b; printf '{late}'")
    first, second = channel.request({}), channel.request({})

    assert channel.receive(first, 10) == {"id": 1}
    assert channel.receive(second, 10) == {"id": 2, "a": "b"}


@pytest.mark.parametrize("line", ["nonsense", "[]", "1", '{"id": "one"}', '{"id": 1e999}', "{}", "[" * 9_000])
def test_a_line_that_is_not_a_message(play: Play, line: str) -> None:
    """A supervisor that sends anything else is ended."""
    channel = play(f"read line; echo '{line}'; exec sleep 1000")
    inbox = channel.request({})

    with pytest.raises(ChannelLost, match="not a message"):
        channel.receive(inbox, 10)
    channel.close()
    assert not channel.usable()


def test_the_error_has_the_stderr_of_the_supervisor(play: Play) -> None:
    """It explains why the supervisor exited."""
    channel = play("read line; echo 'bwrap: out of luck' >&2; exit 1")
    inbox = channel.request({})

    with pytest.raises(ChannelLost, match="it has ended: bwrap: out of luck"):
        channel.receive(inbox, 10)


def test_nothing_is_sent_after_closing(play: Play) -> None:
    """A closed channel rejects messages."""
    channel = play("cat >/dev/null")
    channel.close()

    with pytest.raises(ChannelLost):
        channel.request({})
