"""The calls of a cassette as the page shows them: a title, a time, an outcome, and named texts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional

from buntime.cassette.file import Cassette, Interaction

_LONGEST = 100_000
"""Characters of a text that the page has: a browser shows more of it slowly."""
_LONGEST_IN_ALL = 20_000_000
_LONGEST_LABEL = 120
_REPEATED = (408, 429, 500, 502, 503, 504)
"""Statuses after which the client may send a request again."""
_DURATIONS = ("executionTime", "duration_ms")
_OUTPUTS = ("stdout", "stderr")

Section = dict[str, str]
"""``name``, ``kind`` (``js``, ``sh``, ``json``, ``text`` or ``error``) and ``text``."""


def describe_calls(cassette: Cassette) -> list[dict[str, Any]]:
    """Return the calls of a cassette in their order, as JSON values.

    Recordings have no times of day. The calls are shown one after another, each as long as its execution or
    its stream; ``start`` and ``ms`` are in milliseconds.
    """
    calls: list[dict[str, Any]] = []
    failures: dict[str, int] = {}
    start, room = 0, _LONGEST_IN_ALL
    for number, interaction in enumerate(cassette.interactions, 1):
        request = interaction.request
        key = json.dumps(request, sort_keys=True)
        attempt = failures.get(key, 0) + 1
        response: Mapping[str, Any] = interaction.response or {}
        failures[key] = attempt if interaction.error or response.get("status") in _REPEATED else 0
        duration = _duration(response)
        outcome, is_good = _outcome(interaction)
        sections = []
        for section in _sections(interaction):
            text = _shorten(section["text"], max(0, min(_LONGEST, room)))
            room -= len(text)
            sections.append({**section, "text": text})
        calls.append(
            {
                "number": number,
                "title": interaction.call,
                "label": _label(request),
                "start": start,
                "ms": duration,
                "outcome": outcome,
                "ok": is_good,
                "attempt": attempt,
                "sections": sections,
            }
        )
        start += duration or 0
    return calls


def _duration(response: Mapping[str, Any]) -> Optional[int]:
    events = response.get("events")
    if events:
        return int(events[-1][0])
    body = response.get("json")
    if isinstance(body, dict):
        values = [body[name] for name in _DURATIONS if isinstance(body.get(name), (int, float))]
        return int(values[0]) if values else None
    return None


def _outcome(interaction: Interaction) -> tuple[str, bool]:
    """Return the outcome in a word, and whether it is good."""
    error, response = interaction.error, interaction.response
    if error is not None:
        return f"{error['kind']} ({error['phase']})", False
    if response is None or response["status"] >= 400:
        return str(response and response["status"]), False
    result = _result(response)
    if result.get("timedOut"):
        return "time limit", False
    code = result.get("exitCode") or result.get("exit_status")
    if code:
        return f"exit {code}", False
    return str(response["status"]), True


def _result(response: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the JSON object of a response, or that of the last event of a stream."""
    events: Sequence[Sequence[Any]] = response.get("events") or ()
    body = events[-1][-1] if events else response.get("json")
    return body if isinstance(body, dict) else {}


def _label(request: Mapping[str, Any]) -> str:
    body = request.get("json")
    if not isinstance(body, dict):
        return "&".join(f"{name}={value}" for name, value in request.get("query") or ())[:_LONGEST_LABEL]
    helper = body.get("helper")
    if isinstance(helper, dict):
        return f"{helper.get('op')} {helper.get('path') or _first_line(helper.get('source'))}"[
            :_LONGEST_LABEL
        ]
    text = body.get("code") or body.get("command") or body.get("path") or body.get("file_path")
    return _first_line(text)


def _first_line(text: object) -> str:
    lines = (line.strip() for line in text.splitlines()) if isinstance(text, str) else iter(())
    return next((line for line in lines if line), "")[:_LONGEST_LABEL]


def _sections(interaction: Interaction) -> Iterator[Section]:
    request, response, error = interaction.request, interaction.response, interaction.error
    body = request.get("json")
    if "test" in request:
        yield _section("test", "text", request["test"])
    if isinstance(body, dict):
        yield from _request_sections(body)
    else:
        yield from _body_section("request", request)
    if request.get("query"):
        yield _section("query", "text", "\n".join(f"{name}={value}" for name, value in request["query"]))
    if response is not None:
        yield from _response_sections(response)
    if error is not None:
        yield _section("error", "error", f"{error['kind']} failed ({error['phase']}): {error['message']}")


def _request_sections(body: Mapping[str, Any]) -> Iterator[Section]:
    rest = dict(body)
    for name, kind in (("code", "js"), ("command", "sh")):
        if isinstance(rest.get(name), str):
            yield _section(name, kind, rest.pop(name))
    helper = rest.pop("helper", None)
    if isinstance(helper, dict):
        helper = dict(helper)
        if isinstance(helper.get("source"), str):
            yield _section("source", "js", helper.pop("source"))
        yield from _file_sections(helper.pop("files", None))
        yield _section("helper", "json", _pretty(helper))
    if isinstance(rest.get("contents"), str):
        yield _section(f"file {rest.get('file_path')}", "text", rest.pop("contents"))
    yield from _file_sections(rest.pop("files", None))
    if rest:
        yield _section("request", "json", _pretty(rest))


def _file_sections(files: object) -> Iterator[Section]:
    for file in files if isinstance(files, list) else ():
        content = file.get("content", file.get("text")) if isinstance(file, dict) else None
        if isinstance(content, str):
            name = str(file.get("path"))
            yield _section(f"file {name}", "js" if name.endswith((".js", ".ts", ".mjs")) else "text", content)
        else:
            yield _section("file", "json", _pretty(file))


def _response_sections(response: Mapping[str, Any]) -> Iterator[Section]:
    events = response.get("events") or ()
    rest = dict(_result(response))
    streamed = _streamed_outputs(events)
    for name in _OUTPUTS:
        output = streamed.get(name, rest.pop(name, None))
        rest.pop(name, None)
        if isinstance(output, str) and output:
            yield _section(name, "text" if name == "stdout" else "error", output)
    for name in ("value", "reply"):
        if name in rest:
            yield _section(name, "json", _pretty(rest.pop(name)))
    if events:
        yield _section("events", "text", "\n".join(map(_event_line, events)))
    if rest:
        yield _section("response", "json", _pretty(rest))
    elif not events:
        yield from _body_section("response", response)
    if response.get("headers"):
        lines = [f"{name}: {value}" for name, value in response["headers"].items()]
        yield _section("headers", "text", "\n".join(lines))


def _streamed_outputs(events: Sequence[Sequence[Any]]) -> dict[str, str]:
    pieces: dict[str, list[str]] = {}
    for _, name, *data in events:
        if data and isinstance(data[0], dict) and isinstance(data[0].get("text"), str):
            pieces.setdefault(str(name), []).append(data[0]["text"])
    return {name: "".join(texts) for name, texts in pieces.items()}


def _event_line(event: Sequence[Any]) -> str:
    moment, name, *data = event
    value = data[0] if data else ""
    text = value.get("text") if isinstance(value, dict) and isinstance(value.get("text"), str) else value
    return f"{moment:>7} ms  {name}  {text.rstrip() if isinstance(text, str) else _compact(text)}"


def _body_section(name: str, message: Mapping[str, Any]) -> Iterator[Section]:
    if "json" in message:
        yield _section(name, "json", _pretty(message["json"]))
    elif "text" in message:
        yield _section(name, "text", str(message["text"]))
    elif "base64" in message:
        size = len(message["base64"].rstrip("=")) * 3 // 4
        yield _section(name, "text", f"{size:,} bytes")


def _section(name: str, kind: str, text: str) -> Section:
    return {"name": name, "kind": kind, "text": text}


def _shorten(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    return f"{text[:longest]}\n... and {len(text) - longest:,} more characters"


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
