"""The task, run without a broker and with sessions in memory."""

from __future__ import annotations

import pytest

import celery_tasks
from buntime import Buntime
from buntime.transport import FakeTransport


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeTransport:
    """Return the fake that the task uses."""
    fake = FakeTransport()
    client = Buntime(transport=fake, max_retries=0)
    monkeypatch.setattr(celery_tasks, "get_client", lambda: client)
    return fake


def test_a_report_is_rendered(fake: FakeTransport) -> None:
    """The rows are in a file of the session."""
    fake.on_execute(command="bun render.ts rows.json", stdout="a report\n")
    assert celery_tasks.render.apply(args=[[[1, 2]]]).get() == "a report\n"


def test_celery_repeats_a_refused_call(fake: FakeTransport) -> None:
    """The first create fails before anything ran."""
    fake.on_execute(command="bun render.ts rows.json", stdout="a report\n")
    fake.fail_next(429)
    assert celery_tasks.render.apply(args=[[[1, 2]]], throw=False).get() == "a report\n"
