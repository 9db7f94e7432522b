"""A resource of the service as an object, and the operations that create and find resources of its kind."""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter
from typing import Any, Callable, Generic, Optional, TypeVar, Union, overload

from buntime._support.closing import ClosesWithBlock, cleanup_seconds, close_after
from buntime._support.owner import Owner
from buntime._support.typing import Unpack
from buntime._support.unpicklable import NotPicklable
from buntime.errors import InvalidRequestError, NotFoundError
from buntime.runloop.api import Page, calls_of
from buntime.runloop.connection import Connection, RequestOptions, status_of
from buntime.runloop.wire.requests import resource_id
from buntime.runloop.wire.views.base import View

T = TypeVar("T")
V = TypeVar("V", bound=View)


class HasCalls(NotPicklable):
    """Makes the calls of one resource; ``_calls`` is their place in ``api``."""

    _calls: str = "devboxes"

    def __init__(self, connection: Connection, resource: str) -> None:
        self._connection = connection
        self._id = resource_id(f"{type(self).__name__.lower()}_id", resource)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._id}>"

    def _call(self, call: str, /, **fields: Any) -> Any:
        return attrgetter(call)(calls_of(self._connection, self._calls))(self._id, **fields)


class Resource(HasCalls, Generic[V]):
    """A resource with an id: ``_info`` returns its state, and ``_key`` is the field of a view with the id."""

    _info: str = "retrieve"
    _key: str = "id"

    @property
    def id(self) -> str:
        """The id."""
        return self._id

    def get_info(self, **options: Unpack[RequestOptions]) -> V:
        """Return the present state."""
        return self._call(self._info, **options)


class EndsWithBlock(ClosesWithBlock, Resource[V]):
    """A resource that is ended by ``_end_call`` with its block, unless it is in one of ``_end_states``."""

    _end_call: str
    _end_states: tuple[str, ...]

    def __init__(self, connection: Connection, resource: str) -> None:
        super().__init__(connection, resource)
        self._has_ended = False
        self._owner = Owner()

    def _leave_block(self, error: Optional[BaseException]) -> None:
        if self._has_ended or not self._owner.is_this_process():
            return
        seconds = cleanup_seconds(error)
        connection = self._connection if seconds is None else self._connection.for_cleanup(seconds)
        close_after(error, lambda: self._end(connection), f"{self!r} was not shut down")

    def _end(self, connection: Connection) -> None:
        try:
            connection.call(f"{self._calls}.{self._end_call}", self._id)
        except (InvalidRequestError, NotFoundError):
            # It may have ended by itself, such as with the keep-alive time of a devbox.
            if status_of(connection.call(f"{self._calls}.retrieve", self._id)) not in self._end_states:
                raise
        self._has_ended = True

    def _ended(self, call: str, **fields: Any) -> Any:
        """Make a call that ends the resource."""
        view = self._call(call, **fields)
        self._has_ended = True
        return view

    def close(self) -> None:
        """End it, unless it has ended. Idempotent."""
        if not self._has_ended:
            self._end(self._connection)


class Listing(Generic[T]):
    """All items of a list, in its order: fetched page by page as they are needed, and then stored.

    ``limit`` of the call that returns it is the size of a page. ``len()`` fetches all.
    """

    def __init__(self, page: Page, convert: Callable[[Any], T]) -> None:
        self._page = page
        self._convert = convert
        self._items: list[T] = [convert(item) for item in page.items]

    def __repr__(self) -> str:
        return f"<Listing, {len(self._items)} items fetched>"

    def _fetch(self) -> bool:
        """Add the next page; return whether there was one. After an error, the next call fetches it."""
        if not self._page.has_next_page():
            return False
        page = self._page.get_next_page()
        self._items += [self._convert(item) for item in page.items]
        self._page = page
        return True

    def __iter__(self) -> Iterator[T]:
        index = 0
        while index < len(self._items) or self._fetch():
            yield self._items[index]
            index += 1

    def __bool__(self) -> bool:
        return bool(self._items) or self._fetch()

    def __len__(self) -> int:
        while self._fetch():
            pass
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> list[T]: ...

    def __getitem__(self, index: Union[int, slice]) -> Union[T, list[T]]:
        while (isinstance(index, slice) or index < 0 or index >= len(self._items)) and self._fetch():
            pass
        return self._items[index]


R = TypeVar("R", bound=Resource[Any])


class Operations(NotPicklable, Generic[R]):
    """Creates and finds the resources of one class."""

    _resource: type[R]

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def _call(self, call: str, /, **params: Any) -> Any:
        return getattr(calls_of(self._connection, self._resource._calls), call)(**params)

    def _object(self, view: Any) -> R:
        return self._resource(self._connection, getattr(view, self._resource._key))

    def list(self, **params: Any) -> Listing[R]:
        """Return all, newest first, fetched as they are needed; ``params`` filter them."""
        return Listing(self._call("list", **params), self._object)
