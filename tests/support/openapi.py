"""The OpenAPI document, and a check of responses against it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import attrs
import jsonschema

PATH = Path(__file__).parents[2] / "docs" / "openapi.json"
DOCUMENT: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_FORMATS = jsonschema.FormatChecker(formats=())


@_FORMATS.checks("date-time", raises=ValueError)
def _is_time(value: object) -> bool:
    return not isinstance(value, str) or (
        value.endswith("Z") and datetime.fromisoformat(value[:-1]).tzinfo is None
    )


def resolved(node: Any) -> Any:
    """Return the target of a reference; anything else unchanged."""
    if not isinstance(node, dict) or "$ref" not in node:
        return node
    match: Any = DOCUMENT
    for part in node["$ref"].lstrip("#/").split("/"):
        match = match[part]
    return match


def schema(name: str) -> dict[str, Any]:
    """Return a schema of the document by name."""
    match: dict[str, Any] = DOCUMENT["components"]["schemas"][name]
    return match


def complaints(expected: Mapping[str, Any], value: Any) -> list[str]:
    """Return the errors of a value by a schema of the document, as texts."""
    root = {"components": DOCUMENT["components"], "allOf": [expected]}
    validator = jsonschema.Draft202012Validator(root, format_checker=_FORMATS)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


@attrs.frozen
class Operation:
    """One method of one path, as the document describes it."""

    path: str
    method: str
    spec: Mapping[str, Any] = attrs.field(repr=False, eq=False)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def answers(self) -> dict[int, dict[str, Any]]:
        """The responses by status."""
        return {int(status): resolved(answer) for status, answer in self.spec["responses"].items()}

    @property
    def emitted(self) -> dict[int, dict[str, Any]]:
        """The responses that the model can send."""
        return {status: node for status, node in self.answers.items() if "x-not-emitted" not in node}

    def breaches(self, status: int, headers: Mapping[str, str], body: bytes) -> list[str]:
        """Return the differences of a response of the model from the document."""
        answer = self.emitted.get(status)
        if answer is None:
            return [f"the status {status} is not documented as the model's"]
        return breaches_of(answer, headers, body)


OPERATIONS = {
    str(operation): operation
    for operation in (
        Operation(path, method.upper(), spec)
        for path, item in DOCUMENT["paths"].items()
        for method, spec in item.items()
        if method in _METHODS
    )
}


def breaches_of(answer: Mapping[str, Any], headers: Mapping[str, str], body: bytes) -> list[str]:
    """Return the differences of headers and body from the document's description of their status."""
    wrong = [f"the header {name}: {text}" for name, text in _wrong_headers(answer, headers)]
    media_type = headers["Content-Type"]
    media = answer["content"].get(media_type)
    if media is None:
        return [*wrong, f"the Content-Type {media_type} is not documented"]
    if media_type == "text/event-stream":
        return [*wrong, *_wrong_events(resolved(media["x-event"]), body.decode())]
    value = json.loads(body)
    wrong += complaints(media["schema"], value)
    code = value["error"]["code"] if "error" in value else None
    if code is not None and code not in answer["x-codes"]:
        wrong.append(f"the code {code} is not documented here")
    return wrong


def _wrong_headers(answer: Mapping[str, Any], headers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, header in answer["headers"].items():
        expected = resolved(header)["schema"]
        if name in headers:
            value = int(headers[name]) if expected["type"] == "integer" else headers[name]
            for complaint in complaints(expected, value):
                yield name, complaint
    for name in headers:
        if name.startswith("X-") and name not in answer["headers"]:
            yield name, "is not documented"


def _wrong_events(expected: Mapping[str, Any], text: str) -> list[str]:
    contents = {
        kind: one["properties"]["data"]["contentSchema"]
        for one in expected["oneOf"]
        for kind in one["properties"]["event"]["enum"]
    }
    wrong = []
    for kind, data in events(text):
        wrong += complaints(expected, {"event": kind, "data": json.dumps(data)})
        wrong += complaints(contents[kind], data) if kind in contents else ()
    return wrong


def events(text: str) -> list[tuple[str, Any]]:
    """Return the events of a stream with their data; comments are left out."""
    match = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            match.append((fields["event"], json.loads(fields["data"])))
    return match
