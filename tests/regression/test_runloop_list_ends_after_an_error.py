"""After a page of a Runloop list had failed, the list looked complete; a cycle of pages never ended."""

from __future__ import annotations

from itertools import islice
from typing import Optional

import pytest

from buntime.errors import APIError, InvalidResponseError
from buntime.transport import Request, Response
from tests.runloop.client.stub import Stub, as_json


def _page(name: str, *, has_more: bool = True) -> Response:
    return as_json({"devboxes": [{"id": name, "status": "running"}], "has_more": has_more})


def test_iteration_goes_on_where_a_page_failed() -> None:
    """Items that were fetched stay, and the next iteration fetches the page that failed."""
    stub = Stub(_page("dbx_1"), 400, _page("dbx_2", has_more=False))
    with stub.client() as runloop:
        devboxes = runloop.devbox.list()
        with pytest.raises(APIError):
            list(devboxes)
        assert ["dbx_1", "dbx_2"] == [devbox.id for devbox in devboxes]
    assert [None, "dbx_1", "dbx_1"] == [dict(each.query).get("starting_after") for each in stub.requests]


def test_cycle_of_pages() -> None:
    """A page that leads back to an earlier one is an error."""
    following = {None: "dbx_1", "dbx_1": "dbx_2", "dbx_2": "dbx_1"}

    def respond(request: Request) -> Optional[Response]:
        return _page(following[dict(request.query).get("starting_after")])

    stub = Stub(respond=respond)
    with stub.client() as runloop, pytest.raises(InvalidResponseError, match="repeats the page after dbx_1"):
        list(islice(runloop.devbox.list(), 6))
