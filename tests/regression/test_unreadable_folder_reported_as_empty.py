"""``glob`` in a folder that cannot be read returned nothing, and fsspec listed it as a file."""

from __future__ import annotations

import json

import pytest

from buntime import Buntime, InvalidRequestError
from buntime.transport import FakeTransport, FunctionTransport, Request, Response
from tests.support import responses


def _client(code: str) -> Buntime:
    """Return a client of a service whose helpers fail with an error of the operating system."""
    reply = json.dumps({"error": {"code": code, "message": f"{code}: scandir 'locked'"}})
    return Buntime(transport=FunctionTransport(lambda _: responses.as_json(responses.result(stdout=reply))))


@pytest.mark.parametrize("code", ["EACCES", "EPERM", "ELOOP", "EOUTSIDE"])
def test_glob_raises_what_list_raises(code: str) -> None:
    """The folder exists, so its files may match."""
    with pytest.raises(InvalidRequestError, match=code):
        _client(code).files.glob(session_id="ses_1", pattern="locked/**")


@pytest.mark.parametrize("code", ["ENOENT", "ENOTDIR", "ENAMETOOLONG"])
def test_a_folder_that_cannot_exist_matches_nothing(code: str) -> None:
    """One that does not exist, one below a file, and one with a name that is too long."""
    assert [] == _client(code).files.glob(session_id="ses_1", pattern="locked/**")


def test_a_file_contains_nothing() -> None:
    """A file in place of the folder matches nothing, at any depth."""
    files = Buntime(transport=FakeTransport()).sessions.create().files
    files.write("a", "")
    assert [] == files.glob("a/*") == files.glob("a/**") == files.glob("a/b/*") == files.glob("a/b/**")


def test_fsspec_raises_what_list_raises() -> None:
    """A folder that cannot be read is not its own child."""
    fsspec = pytest.importorskip("fsspec")
    folder = {"path": "locked", "size": 0, "modified": 0, "type": "directory"}

    def respond(request: Request) -> Response:
        if request.path == "/files/list":
            return responses.error(400, "invalid_request")
        return responses.as_json(responses.result(stdout=json.dumps(folder)))

    client = Buntime(transport=FunctionTransport(respond))
    with pytest.raises(InvalidRequestError):
        fsspec.filesystem("buntime", client=client, skip_instance_cache=True).ls("ses_1/locked")
