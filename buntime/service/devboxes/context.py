"""One request: its path, query and body; and the routes that kinds of objects have in common."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any, Callable, Generic, Union

import attrs

from buntime._http import Request
from buntime.service.devboxes.devbox import Devbox
from buntime.service.devboxes.errors import ApiError, invalid
from buntime.service.devboxes.history import Execution
from buntime.service.devboxes.model import Model, T, Table
from buntime.service.requests import RequestFields, header, json_object

JSON = dict[str, Any]
"""The body of a response."""
_PAGE = 20
_LARGEST_PAGE = 5000


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

    @cached_property
    def devbox(self) -> Devbox:
        """The devbox whose id is the first of the path; a 404 if there is none."""
        return self.model.devboxes.get(self.ids[0])

    def seconds(self, name: str, default: int, most: int) -> int:
        """Return a number of seconds in the body."""
        value = self.body.optional_integer(name, 0, most)
        return default if value is None else value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a boolean that the query spells ``true`` or ``false``."""
        value = self.query.optional_text(name)
        if value not in {None, "true", "false"}:
            raise invalid(f"{name} must be true or false")
        return default if value is None else value == "true"

    def hold(self, row: Union[Devbox, Execution], known: Iterable[str], default: int, most: int) -> None:
        """Hold the request until a status is one of the field ``statuses``, or raise a 408.

        All of them must be ``known``. The field ``timeout_seconds`` has a default and a largest value.
        """
        expected = self.body.array("statuses")
        if not expected or not all(isinstance(each, str) and each in known for each in expected):
            raise invalid(f"statuses must be one or more of {', '.join(sorted(known))}")
        seconds = self.seconds("timeout_seconds", default, most)
        if not self.devbox.hold(lambda: row.status in expected, seconds, self.request.read_timeout):
            message = f"{type(row).__name__} {row.id} is {row.status} after {seconds} s"
            raise ApiError(408, message, [("x-should-retry", "true")])

    def once(self, make: Callable[[Call], T]) -> T:
        """Return what ``make`` creates for this request; a repeated request returns the same object."""
        request_id = header(self.request, "x-request-id")
        if request_id is None:
            return make(self)
        key = f"{request_id} {self.request.path} {hash(self.request.content)}"
        return self.model.requests.once(key, None, lambda: make(self))[0]

    def page(
        self, name: str, views: Iterable[JSON], exact: Iterable[str] = (), part: Iterable[str] = ()
    ) -> JSON:
        """Return a page of the ``views``, which are sorted, that match the query.

        The query has the values of the fields ``exact``, parts of others, and ``search``.
        """
        query = {field: value for field, value in self.request.query if value}
        search = query.get("search", "").lower()
        rows = [
            view
            for view in views
            if all(query.get(field) in {None, _spelt(view.get(field))} for field in exact)
            and all(query.get(field, "") in str(view.get(field, "")) for field in part)
            and any(search in str(view.get(field, "")).lower() for field in ("id", "name", "type"))
        ]
        start, after = 0, query.get("starting_after")
        if after:
            ids = [row["id"] for row in rows]
            if after not in ids:
                raise invalid(f"starting_after: there is no {after} in this list")
            start = ids.index(after) + 1
        items = rows[start : start + self.query.query_integer("limit", 1, _LARGEST_PAGE, _PAGE)]
        remaining = len(rows) - start - len(items)
        page: JSON = {name: items, "has_more": remaining > 0}
        if self.flag("include_total_count", default=True):
            page.update(total_count=len(rows), remaining_count=remaining)
        return page


def _spelt(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value


@attrs.frozen
class Collection(Generic[T]):
    """The routes of one kind of object. ``make`` and ``change`` raise a 400 for fields that are wrong."""

    name: str
    """The table of the model; its last word is the field of a page with the objects."""
    view: Callable[[T], JSON]
    make: Callable[[Call], T]
    change: Callable[[Call, T], None] = lambda _call, _row: None
    exact: tuple[str, ...] = ()
    """The fields that a list is filtered by."""

    def _table(self, call: Call) -> Table[T]:
        table: Table[T] = getattr(call.model, self.name)
        return table

    def create(self, call: Call) -> JSON:
        """``POST``: create an object; a repeated request creates nothing."""
        return self.view(call.once(lambda call: self._table(call).add(self.make(call))))

    def retrieve(self, call: Call) -> JSON:
        """``GET …/{id}``."""
        return self.view(self._table(call).get(*call.ids))

    def update(self, call: Call) -> JSON:
        """``POST …/{id}``: what is absent stays."""
        row = self._table(call).get(*call.ids)
        self.change(call, row)
        return self.view(row)

    def list(self, call: Call) -> JSON:
        """``GET``: a page, the newest first, without what is archived."""
        views = map(self.view, self._table(call).newest_first())
        rows = (each for each in views if each.get("status") != "archived")
        return call.page(self.name.rpartition("_")[2], rows, self.exact)


def list_public(call: Call) -> JSON:
    """``GET …/list_public``: there are none."""
    return call.page(call.request.path.split("/")[2], [])
