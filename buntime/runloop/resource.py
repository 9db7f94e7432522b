"""A resource of the service as an object, and the operations that create and find resources of its kind."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from buntime._support.typing import Unpack
from buntime._support.unpicklable import NotPicklable
from buntime.runloop.connection import Connection, RequestOptions
from buntime.runloop.pages import Listing, Page
from buntime.runloop.wire.requests import resource_id
from buntime.runloop.wire.views.base import View

V = TypeVar("V", bound=View)


class Resource(NotPicklable, Generic[V]):
    """A resource with an id: ``_calls`` is where its calls are in ``api``, ``_info`` returns its state."""

    _calls: str
    _info: str = "retrieve"
    _key: str = "id"

    def __init__(self, connection: Connection, resource: str) -> None:
        self._connection = connection
        self._id = resource_id(f"{type(self).__name__.lower()}_id", resource)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._id}>"

    @property
    def id(self) -> str:
        """The id."""
        return self._id

    def _call(self, call: str, /, **fields: Any) -> Any:
        return self._connection.call(f"{self._calls}.{call}", self._id, **fields)

    def get_info(self, **options: Unpack[RequestOptions]) -> V:
        """Return the present state."""
        view: V = self._call(self._info, **options)
        return view


R = TypeVar("R", bound=Resource[Any])


class Operations(NotPicklable, Generic[R]):
    """Creates and finds the resources of one class."""

    _resource: type[R]

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def _list(self, call: str, params: dict[str, Any]) -> Listing[R]:
        page = Page(self._connection, f"{self._resource._calls}.{call}", params)
        return Listing(
            page, lambda view: self._resource(self._connection, getattr(view, self._resource._key))
        )

    def list(self, **params: Any) -> Listing[R]:
        """Return all, newest first, fetched as they are needed; ``params`` filter them."""
        return self._list("list", params)
