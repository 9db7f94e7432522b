"""A recording passed on only part of its transport's clock, and a subclass of it none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from buntime import Buntime
from buntime.transport import (
    FakeTransport,
    FunctionTransport,
    RecordingTransport,
    ReplayTransport,
    Response,
    SupportsDate,
    SupportsOrder,
    SupportsTime,
    SupportsTimers,
    Transport,
)
from tests.support.cassettes import record, replay


class OwnRecording(RecordingTransport):
    """A subclass, as a project may define one."""


@pytest.mark.parametrize("kind", [RecordingTransport, OwnRecording])
def test_all_clock_protocols_are_passed_on(kind: type[RecordingTransport], tmp_path: Path) -> None:
    """A session that is kept awake on a fake's clock is also awake in a recording of it."""
    fake = FakeTransport()
    transport = kind(tmp_path / "x.json", fake)
    assert isinstance(transport, kind)
    assert kind.__name__ == type(transport).__name__
    for protocol in (SupportsTime, SupportsDate, SupportsTimers, SupportsOrder):
        assert isinstance(transport, protocol)
    with Buntime(transport=transport) as client, client.sessions.create() as session, session.stay_awake():
        fake.advance(3600)
        assert "active" == session.info().state
        assert fake.time() == transport.time()  # type: ignore[attr-defined]  # SupportsDate, checked above


def test_no_protocol_is_invented(tmp_path: Path) -> None:
    """A recording of a transport without a clock has no clock."""
    transport = OwnRecording(tmp_path / "x.json", FunctionTransport(lambda _: Response(200)))
    for protocol in (SupportsTime, SupportsDate, SupportsTimers):
        assert not isinstance(transport, protocol)
    transport.discard()


class _DateOnly:
    """A transport with only the date."""

    def __init__(self, inner: Transport) -> None:
        self.send, self.close = inner.send, inner.close

    def time(self) -> float:
        """Return a date."""
        return 5.0


def test_each_protocol_is_passed_on_separately(tmp_path: Path) -> None:
    """A recording of a recording passes on all protocols; one of a transport with a date only the date."""
    inner = RecordingTransport(tmp_path / "y.json", FakeTransport())
    outer = RecordingTransport(tmp_path / "x.json", inner)
    assert isinstance(outer, SupportsTimers)
    outer.discard()
    dated = RecordingTransport(tmp_path / "z.json", _DateOnly(FakeTransport()))
    assert isinstance(dated, SupportsDate)
    assert not isinstance(dated, SupportsTime)
    dated.discard()


def test_replay_returns_the_recorded_remaining_time(tmp_path: Path) -> None:
    """On replay, even years later, a session reports the same remaining time."""
    path = tmp_path / "x.json"

    def program(client: Buntime) -> Any:
        with client.sessions.create(ttl=600) as session:
            attached = client.sessions.attach(session.id)
            attached.info()
            return attached.remaining, session.remaining

    fake = FakeTransport()
    recorded = record(path, program, fake)
    text = path.read_text(encoding="utf-8")
    year = text.split('"createdAt": "')[1][:4]
    path.write_text(
        text.replace(f'At": "{year}', 'At": "2019').replace(f'Active": "{year}', 'Active": "2019')
    )
    replayed = replay(path, program)
    assert recorded == pytest.approx(replayed, abs=2)
    assert ReplayTransport(path).time() > 0
