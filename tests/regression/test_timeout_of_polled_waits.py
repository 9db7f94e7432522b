"""A wait for a snapshot, a build or a score raised ``APITimeoutError`` if it ended between two polls."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from buntime.errors import WaitTimeoutError
from buntime.runloop import RunloopSDK
from tests.runloop.client.stub import Stub, as_json

_PENDING = {"id": "x_1", "devbox_id": "dbx_1"}


@pytest.mark.parametrize(
    ("wait", "fields"),
    [
        (
            lambda client: client.api.devboxes.disk_snapshots.await_completed("snp_1", timeout=20),
            {"status": "in_progress"},
        ),
        (
            lambda client: client.api.blueprints.await_build_complete("bpt_1", timeout=20),
            {"status": "building"},
        ),
        (lambda client: client.api.scenarios.runs.await_scored("scr_1", timeout=20), {"state": "scoring"}),
    ],
    ids=["snapshot", "blueprint", "score"],
)
def test_timeout_between_two_polls(wait: Callable[[RunloopSDK], Any], fields: dict[str, str]) -> None:
    """It is the error of the wait, which names what was waited for."""
    stub = Stub(respond=lambda request: as_json({**_PENDING, **fields}))
    with stub.client() as client, pytest.raises(WaitTimeoutError, match="_1 is "):
        wait(client)
    assert 20 == stub.now
