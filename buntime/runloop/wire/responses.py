"""Responses as values."""

from __future__ import annotations

import json
from typing import Any

import attrs

from buntime._http import BufferedResponse
from buntime.errors import APIStatusError
from buntime.runloop.wire.routes import Route
from buntime.runloop.wire.views.base import KINDS, View
from buntime.wire.fields import invalid


@attrs.frozen
class PageContent:
    """The items of one page, whether more follow, and the total number if the response contains it."""

    items: list[Any]
    has_more: bool
    total_count: Any = None


def decode(route: Route, response: BufferedResponse) -> Any:
    """Return the value of a 2xx response; :class:`~buntime.InvalidResponseError` if it is not the API's."""
    if route.view in {"bytes", "zip"}:
        return response.body
    if route.view == "text":
        return _text(response)
    value = _json(response)
    if route.view == "json":
        return value
    if route.items:
        return _page(route, value, response)
    view = KINDS[route.view].from_json({} if value is None else value, response)
    if route.name == "devboxes.write_file_contents" and view.exit_status:
        reason = f"(exit status {view.exit_status}): {(view.stderr or view.stdout or '').strip()}"
        raise APIStatusError(f"the file was not written {reason}", status=200)
    return view


def _json(response: BufferedResponse) -> Any:
    if not response.body.strip():
        return None
    try:
        return json.loads(response.body)
    except (ValueError, RecursionError):
        kind = response.headers.get("Content-Type", "no content type")
        raise invalid(response, f"the body is not JSON ({kind})") from None


def _text(response: BufferedResponse) -> str:
    if "json" in response.headers.get("Content-Type", ""):
        value = _json(response)
        if isinstance(value, dict) and value.get("exit_status") and "devbox_id" in value:
            raise APIStatusError(f"the file was not read: {value.get('stderr') or value}", status=200)
    try:
        return response.body.decode()
    except UnicodeDecodeError:
        raise invalid(response, "the file is not text in UTF-8; use file.download() for bytes") from None


def _page(route: Route, value: Any, response: BufferedResponse) -> PageContent:
    items = value.get(route.items) if isinstance(value, dict) else None
    if not isinstance(items, list):
        raise invalid(response, f"the body has no list {route.items!r}")
    kind: type[View] = KINDS[route.view]
    views = [kind.from_json(item, response) for item in items]
    return PageContent(views, bool(value.get("has_more")), value.get("total_count"))
