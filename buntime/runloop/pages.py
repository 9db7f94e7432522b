"""Lists: a page as the API has it, and all items, fetched as they are needed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable, Generic, Optional, TypeVar, Union, overload

from buntime.errors import InvalidResponseError
from buntime.runloop.connection import Connection
from buntime.runloop.wire.routes import BY_NAME

T = TypeVar("T")


class Page:
    """One page of a list. Iterating yields the items of this page and of all that follow.

    The items of this page are an attribute with the name of the API, such as ``devboxes``.
    """

    def __init__(self, connection: Connection, call: str, options: dict[str, Any], *path: object) -> None:
        self._connection, self._call, self._options, self._path = connection, call, options, path
        self._cursors: frozenset[object] = frozenset()
        content = connection.call(call, *path, **options)
        self.items: list[Any] = content.items
        setattr(self, BY_NAME[call].items, content.items)
        self.has_more: bool = content.has_more
        self.total_count: Optional[int] = content.total_count

    def __repr__(self) -> str:
        return f"<Page of {len(self.items)} {BY_NAME[self._call].items}>"

    def has_next_page(self) -> bool:
        """Whether more items follow."""
        return self.has_more and bool(self.items) and "starting_after" in BY_NAME[self._call].query

    def get_next_page(self) -> Page:
        """Return the next page; ``RuntimeError`` if there is none."""
        if not self.has_next_page():
            raise RuntimeError("this is the last page")
        last = self.items[-1].id
        cursors = self._cursors | {self._options.get("starting_after")}
        if last in cursors:
            raise InvalidResponseError(f"the list repeats the page after {last}")
        page = Page(self._connection, self._call, {**self._options, "starting_after": last}, *self._path)
        page._cursors = cursors
        return page

    def __iter__(self) -> Iterator[Any]:
        page = self
        yield from page.items
        while page.has_next_page():
            page = page.get_next_page()
            yield from page.items


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
        if isinstance(index, slice) or index < 0:
            len(self)
        while not isinstance(index, slice) and index >= len(self._items) and self._fetch():
            pass
        return self._items[index]
