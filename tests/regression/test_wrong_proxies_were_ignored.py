"""``proxies="http://..."`` was an ``AttributeError``, and a misspelt scheme sent requests without a proxy."""

from __future__ import annotations

from typing import Any

import pytest

from buntime import ConfigurationError
from buntime.transport import HTTPTransport


@pytest.mark.parametrize(
    ("proxies", "message"),
    [
        ("http://127.0.0.1:9", "pass a URL for each scheme"),
        ({"htps": "http://127.0.0.1:9"}, "'htps'"),
        ({"https:": "http://127.0.0.1:9"}, "'https:'"),
    ],
)
def test_wrong_proxies(proxies: Any, message: str) -> None:
    """They are refused when the transport is made."""
    with pytest.raises(ConfigurationError, match=message):
        HTTPTransport("http://127.0.0.1:1", proxies=proxies)


@pytest.mark.parametrize("scheme", ["http", "all", "http://127.0.0.1", "all://127.0.0.1"])
def test_schemes_of_requests(scheme: str) -> None:
    """They are accepted, also with a host."""
    HTTPTransport("http://127.0.0.1:1", proxies={scheme: "http://127.0.0.1:9"}).close()
