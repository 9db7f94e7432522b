"""One request: its path, query and body, and how its response is written."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any, Callable, Optional, TypeVar

from buntime._http import Request, Response
from buntime.service.devboxes.errors import invalid
from buntime.service.devboxes.model import Model
from buntime.service.requests import RequestFields, header, json_object
from buntime.service.responses import json_response

_PAGE = 20
_LARGEST_PAGE = 5000

T = TypeVar("T")


class Call:
    """A request to a route; ``ids`` are the variable parts of its path."""

    def __init__(self, model: Model, request: Request, ids: tuple[str, ...]) -> None:
        self.model = model
        self.request = request
        self.ids = ids

    @cached_property
    def body(self) -> RequestFields:
        """The fields of the JSON body."""
        return RequestFields(json_object(self.request))

    @cached_property
    def query(self) -> RequestFields:
        """The fields of the query."""
        return RequestFields(dict(self.request.query))

    def seconds(self, name: str, default: int, most: int) -> int:
        """Return a number of seconds in the body."""
        value = self.body.optional_integer(name, 0, most)
        return default if value is None else value

    def once(self, make: Callable[[], str]) -> str:
        """Return the id of what this request creates; a repeated request creates nothing."""
        request_id = header(self.request, "x-request-id")
        key = None if request_id is None else f"{request_id} {self.request.path} {hash(self.request.content)}"
        return self.model.requests.once(key, make)

    def page(
        self, name: str, rows: Iterable[T], view: Callable[[T], Any], key: Callable[[T], str]
    ) -> Response:
        """Return a page of ``rows``, which are sorted."""
        everything = list(rows)
        start = 0
        after = self.query.optional_text("starting_after")
        if after:
            ids = [key(row) for row in everything]
            if after not in ids:
                raise invalid(f"starting_after: there is no {after} in this list")
            start = ids.index(after) + 1
        limit = self.query.query_integer("limit", 1, _LARGEST_PAGE, _PAGE)
        shown_rows = everything[start : start + limit]
        remaining = len(everything) - start - len(shown_rows)
        page: dict[str, Any] = {name: [view(row) for row in shown_rows], "has_more": remaining > 0}
        if self.query.optional_text("include_total_count") != "false":
            page.update(total_count=len(everything), remaining_count=remaining)
        return json_response(page)


def statuses(call: Call, known: Iterable[str]) -> frozenset[str]:
    """Return the field ``statuses``, which is required; a 400 for an unknown one."""
    values = call.body.array("statuses")
    allowed = frozenset(known)
    if not values or not all(isinstance(value, str) for value in values) or not allowed.issuperset(values):
        raise invalid(f"statuses must be one or more of {', '.join(sorted(allowed))}")
    return frozenset(values)


def read_timeout(call: Call) -> Optional[float]:
    """Return how long the client waits for a response."""
    return call.request.read_timeout
