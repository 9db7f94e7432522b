"""``client.request(params=)`` sent ``None``, ``True`` and lists in Python's notation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from buntime import Buntime
from buntime.transport import FunctionTransport, Request, Response
from tests.support.cases import in_one_test


def _sent(params: Mapping[str, Any]) -> list[tuple[str, str]]:
    requests: list[Request] = []

    def respond(request: Request) -> Response:
        requests.append(request)
        return Response(200, [("Content-Type", "application/json")], [b"{}"])

    Buntime(transport=FunctionTransport(respond)).request("GET", "/usage", params=params)
    return list(requests[0].query)


@in_one_test(
    ("value", "expected"),
    [
        (None, []),
        (True, ["true"]),
        (False, ["false"]),
        ([1, 2], ["1", "2"]),
        ((True, None, "x"), ["true", "x"]),
        ([], []),
        ("a b", ["a b"]),
        (b"bytes", ["bytes"]),
        (0, ["0"]),
        (1.5, ["1.5"]),
    ],
)
def test_values(value: Any, expected: list[str]) -> None:
    """``None`` is omitted, a list repeats the name, and a bool is lower-case."""
    assert [("a", text) for text in expected] == _sent({"a": value})


def test_order() -> None:
    """Parameters keep their order."""
    params = {"b": None, "c": True, "a": [1, 2], "d": "x"}
    assert [("c", "true"), ("a", "1"), ("a", "2"), ("d", "x")] == _sent(params)


@pytest.mark.parametrize("value", [{"nested": 1}, {1, 2}, [{"nested": 1}]])
def test_unsupported_values(value: Any) -> None:
    """A dict or a set raises an error that names the parameter, and nothing is sent."""
    with pytest.raises(TypeError, match=r"params\['a'\] must be"):
        _sent({"a": value})
