"""The OpenAPI document, and whether an answer is as it says."""

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
    """Return what a reference leads to; what is no reference, as it is."""
    if not isinstance(node, dict) or "$ref" not in node:
        return node
    found: Any = DOCUMENT
    for part in node["$ref"].lstrip("#/").split("/"):
        found = found[part]
    return found


def schema(name: str) -> dict[str, Any]:
    """Return a schema of the document by name."""
    found: dict[str, Any] = DOCUMENT["components"]["schemas"][name]
    return found


def complaints(wanted: Mapping[str, Any], value: Any) -> list[str]:
    """Return what is wrong with a value by a schema of the document, in words."""
    whole = {"components": DOCUMENT["components"], "allOf": [wanted]}
    validator = jsonschema.Draft202012Validator(whole, format_checker=_FORMATS)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


@attrs.frozen
class Operation:
    """One method of one path: what the document says of it."""

    path: str
    method: str
    spec: Mapping[str, Any] = attrs.field(repr=False, eq=False)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def answers(self) -> dict[int, dict[str, Any]]:
        """The answers by status."""
        return {int(status): resolved(answer) for status, answer in self.spec["responses"].items()}

    @property
    def emitted(self) -> dict[int, dict[str, Any]]:
        """The answers that the model gives, too."""
        return {status: it for status, it in self.answers.items() if "x-not-emitted" not in it}

    def breaches(self, status: int, headers: Mapping[str, str], body: bytes) -> list[str]:
        """Return in what an answer of the model departs from the document."""
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
    """Return in what a status's headers and body depart from what the document says of that status."""
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
        wanted = resolved(header)["schema"]
        if name in headers:
            value = int(headers[name]) if wanted["type"] == "integer" else headers[name]
            for complaint in complaints(wanted, value):
                yield name, complaint
    for name in headers:
        if name.startswith("X-") and name not in answer["headers"]:
            yield name, "is not documented"


def _wrong_events(wanted: Mapping[str, Any], text: str) -> list[str]:
    contents = {
        kind: one["properties"]["data"]["contentSchema"]
        for one in wanted["oneOf"]
        for kind in one["properties"]["event"]["enum"]
    }
    wrong = []
    for kind, data in events(text):
        wrong += complaints(wanted, {"event": kind, "data": json.dumps(data)})
        wrong += complaints(contents[kind], data) if kind in contents else ()
    return wrong


def events(text: str) -> list[tuple[str, Any]]:
    """Return the events of a stream with their data; comments are left out."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            found.append((fields["event"], json.loads(fields["data"])))
    return found
