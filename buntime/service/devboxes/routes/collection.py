"""The routes that kinds of objects have in common."""

from __future__ import annotations

from typing import Callable, Generic

import attrs

from buntime.service.devboxes.context import JSON, Call
from buntime.service.devboxes.model import Model, T, Table


@attrs.frozen
class Collection(Generic[T]):
    """The routes of one kind of object. ``make`` and ``change`` raise a 400 for fields that are wrong."""

    items: str
    """The field of a page with the objects."""
    table: Callable[[Model], Table[T]]
    view: Callable[[T], JSON]
    make: Callable[[Call], T]
    change: Callable[[Call, T], None] = lambda _call, _row: None
    exact: tuple[str, ...] = ()
    """The fields that a list is filtered by."""

    def create(self, call: Call) -> JSON:
        """``POST``: create an object; a repeated request creates nothing."""
        return self.view(call.once(lambda call: self.table(call.model).add(self.make(call))))

    def retrieve(self, call: Call) -> JSON:
        """``GET …/{id}``."""
        return self.view(self.table(call.model).get(*call.ids))

    def update(self, call: Call) -> JSON:
        """``POST …/{id}``: what is absent stays."""
        row = self.table(call.model).get(*call.ids)
        self.change(call, row)
        return self.view(row)

    def list(self, call: Call) -> JSON:
        """``GET``: a page, the newest first, without what is archived."""
        views = map(self.view, self.table(call.model).newest_first())
        rows = (each for each in views if each.get("status") != "archived")
        return call.page(self.items, rows, self.exact)


def list_public(call: Call) -> JSON:
    """``GET …/list_public``: there are none."""
    return call.page(call.request.path.split("/")[2], [])
