"""Code generators created an empty ``Execute`` from docs/openapi.json, and validators rejected streams."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from buntime import Buntime
from buntime.transport import FakeTransport
from tests.support.openapi import DOCUMENT, OPERATIONS, schema, schema_errors


def _nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _nodes(child)


def test_alternatives_and_properties_of_a_request_are_separate() -> None:
    """Generators treat an object with ``oneOf`` as a union, and ignore the properties beside it."""
    assert {"sessionId", "files"} <= set(schema("Execute")["properties"])
    for operation in OPERATIONS.values():
        body = operation.spec.get("requestBody")
        if body:
            name = body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
            assert "oneOf" not in schema(name)


def test_a_stream_is_a_string() -> None:
    """In OpenAPI 3.1 the body of ``text/event-stream`` is text; ``x-event`` describes an event."""
    media = [node["text/event-stream"] for node in _nodes(DOCUMENT) if "text/event-stream" in node]
    assert ["string"] == [item["schema"]["type"] for item in media]
    assert [] == schema_errors(media[0]["schema"], "event: stdout\ndata: {}\n\n")


def test_an_integer_may_have_a_fraction_of_zero() -> None:
    """``600.0`` is an integer in JSON Schema, and some languages write all numbers like this."""
    body = {"ttl": 600.0, "resourceLimits": {"memory": 512.0, "timeout": 20.0}}
    assert [] == schema_errors(schema("CreateSession"), body)
    with Buntime(transport=FakeTransport()) as client:
        created = client.request("POST", "/sessions/create", json=body).json()
    assert {"memory": 512, "timeout": 20} == {
        name: created["resourceLimits"][name] for name in ("memory", "timeout")
    }
