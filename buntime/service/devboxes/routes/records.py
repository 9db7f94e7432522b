"""Resources that are only stored: scenarios, scorers and benchmarks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

import attrs

from buntime._http import Response
from buntime.service.devboxes.context import Call
from buntime.service.devboxes.errors import invalid
from buntime.service.devboxes.model import Model, Table
from buntime.service.devboxes.scoring import Record
from buntime.service.devboxes.spec import environment_of, texts, without_nulls
from buntime.service.requests import RequestFields
from buntime.service.responses import json_response


def list_public(call: Call) -> Response:
    """``GET …/list_public``: there are none."""
    return call.page(call.request.path.split("/")[2], [])


@attrs.frozen
class Collection:
    """The routes of one kind of record. ``check`` raises a 400 for fields that are wrong."""

    items: str
    prefix: str
    table: Callable[[Model], Table[Record]]
    fields: tuple[str, ...]
    check: Callable[[Model, RequestFields], None]
    view: Callable[[Record], dict[str, Any]]
    filters: tuple[str, ...] = ()
    unique: str = ""

    def create(self, call: Call) -> Response:
        """``POST``: store a record."""
        return json_response(self.view(self.table(call.model).get(call.once(lambda: self._make(call)))))

    def _make(self, call: Call) -> str:
        record = Record(call.model.new_id(self.prefix), self._fields(call, {}))
        self.table(call.model).add(record)
        return record.id

    def _fields(self, call: Call, old: Mapping[str, Any]) -> dict[str, Any]:
        new = {name: value for name, value in without_nulls(call.body.values).items() if name in self.fields}
        # The input context, too, keeps what is absent.
        if isinstance(new.get("input_context"), dict):
            new["input_context"] = {**old.get("input_context", {}), **without_nulls(new["input_context"])}
        if "metadata" in new:
            new["metadata"] = texts(call.body, "metadata")
        if "environment_parameters" in new:
            new["environment_parameters"] = environment_of(call.body)
        fields = {**old, **new}
        self.check(call.model, RequestFields(fields))
        others = (each.fields for each in self.table(call.model).newest_first() if each.fields is not old)
        if self.unique and any(each[self.unique] == fields[self.unique] for each in others):
            raise invalid(f"The {self.unique} {fields[self.unique]} is taken")
        return fields

    def retrieve(self, call: Call) -> Response:
        """``GET …/{id}``."""
        return json_response(self.view(self.table(call.model).get(*call.ids)))

    def update(self, call: Call) -> Response:
        """``POST …/{id}``: what is absent stays."""
        record = self.table(call.model).get(*call.ids)
        record.fields = self._fields(call, record.fields)
        return json_response(self.view(record))

    def list(self, call: Call) -> Response:
        """``GET``: a page, the newest first, without what is archived."""
        rows = map(self.view, self.table(call.model).newest_first())
        return call.page(self.items, (row for row in rows if row.get("status") != "archived"), self.filters)
