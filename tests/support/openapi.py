"""The OpenAPI document, and checks that a response conforms to it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import attrs

PATH = Path(__file__).parents[2] / "docs" / "openapi.json"
DOCUMENT: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


def _is_time(value: object) -> bool:
    return not isinstance(value, str) or (
        value.endswith("Z") and datetime.fromisoformat(value[:-1]).tzinfo is None
    )


def resolve_reference(node: Any) -> Any:
    """Return the target of a reference, or the node itself if it is not a reference."""
    if not isinstance(node, dict) or "$ref" not in node:
        return node
    target: Any = DOCUMENT
    for part in node["$ref"].lstrip("#/").split("/"):
        target = target[part]
    return target


def schema(name: str) -> dict[str, Any]:
    """Return a schema of the document by name."""
    definition: dict[str, Any] = DOCUMENT["components"]["schemas"][name]
    return definition


def schema_errors(expected: Mapping[str, Any], value: Any) -> list[str]:
    """Return the validation errors of a value against a schema of the document."""
    import jsonschema  # few workers need it

    formats = jsonschema.FormatChecker(formats=())
    formats.checks("date-time", raises=ValueError)(_is_time)
    complete = {"components": DOCUMENT["components"], "allOf": [expected]}
    validator = jsonschema.Draft202012Validator(complete, format_checker=formats)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


@attrs.frozen
class Operation:
    """The documentation of one method of one path."""

    path: str
    method: str
    spec: Mapping[str, Any] = attrs.field(repr=False, eq=False)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def responses(self) -> dict[int, dict[str, Any]]:
        """The responses by status."""
        return {
            int(status): resolve_reference(response) for status, response in self.spec["responses"].items()
        }

    @property
    def emitted(self) -> dict[int, dict[str, Any]]:
        """The responses that the model returns."""
        return {status: spec for status, spec in self.responses.items() if "x-not-emitted" not in spec}

    def violations(self, status: int, headers: Mapping[str, str], body: bytes) -> list[str]:
        """Return in which respects a response of the model violates the document."""
        response = self.emitted.get(status)
        if response is None:
            return [f"the status {status} is not documented as the model's"]
        return violations_of(response, headers, body)


OPERATIONS = {
    str(operation): operation
    for operation in (
        Operation(path, method.upper(), spec)
        for path, item in DOCUMENT["paths"].items()
        for method, spec in item.items()
        if method in _METHODS
    )
}


def violations_of(response: Mapping[str, Any], headers: Mapping[str, str], body: bytes) -> list[str]:
    """Return in which respects headers and body violate the documented response."""
    wrong = [f"the header {name}: {text}" for name, text in _wrong_headers(response, headers)]
    media_type = headers["Content-Type"]
    media = response["content"].get(media_type)
    if media is None:
        return [*wrong, f"the Content-Type {media_type} is not documented"]
    if media_type == "text/event-stream":
        return [*wrong, *_wrong_events(resolve_reference(media["x-event"]), body.decode())]
    value = json.loads(body)
    wrong += schema_errors(media["schema"], value)
    code = value["error"]["code"] if "error" in value else None
    if code is not None and code not in response["x-codes"]:
        wrong.append(f"the code {code} is not documented here")
    return wrong


def _wrong_headers(response: Mapping[str, Any], headers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, header in response["headers"].items():
        expected = resolve_reference(header)["schema"]
        if name in headers:
            value = int(headers[name]) if expected["type"] == "integer" else headers[name]
            for complaint in schema_errors(expected, value):
                yield name, complaint
    for name in headers:
        if name.startswith("X-") and name not in response["headers"]:
            yield name, "is not documented"


def _wrong_events(expected: Mapping[str, Any], text: str) -> list[str]:
    contents = {
        kind: variant["properties"]["data"]["contentSchema"]
        for variant in expected["oneOf"]
        for kind in variant["properties"]["event"]["enum"]
    }
    wrong = []
    for kind, data in events(text):
        wrong += schema_errors(expected, {"event": kind, "data": json.dumps(data)})
        wrong += schema_errors(contents[kind], data) if kind in contents else ()
    return wrong


def events(text: str) -> list[tuple[str, Any]]:
    """Return the events of a stream with their data, without comments."""
    parsed = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            parsed.append((fields["event"], json.loads(fields["data"])))
    return parsed
