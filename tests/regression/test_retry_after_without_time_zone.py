"""A Retry-After date without a zone was interpreted as local time."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from buntime.transport import Headers
from buntime.wire.error_responses import retry_after


@pytest.fixture(params=["UTC+8", "UTC-8"])
def _zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run the test in another time zone."""
    with monkeypatch.context() as environment:
        environment.setenv("TZ", request.param)
        time.tzset()
        yield
    time.tzset()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no tzset")
@pytest.mark.usefixtures("_zone")
@pytest.mark.parametrize("form", ["%a %b %d %H:%M:%S %Y", "%a, %d %b %Y %H:%M:%S -0000"])
def test_a_date_without_a_zone_is_in_utc(form: str) -> None:
    """RFC 9110 defines such dates as UTC, wherever the client is."""
    value = time.strftime(form, time.gmtime(time.time() + 3600))
    seconds = retry_after(Headers({"Retry-After": value}))
    assert seconds is not None
    assert 0 < seconds <= 3600
