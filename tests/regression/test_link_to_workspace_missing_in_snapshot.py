"""A snapshot lacked links to ``/workspace`` itself, and one to ``/workspace/`` ended it with an error."""

from __future__ import annotations

import io
import json
import tarfile

import pytest

from buntime import Buntime
from buntime.transport import FunctionTransport
from tests.support import responses
from tests.support.cases import in_one_test


@in_one_test(
    ("path", "target", "expected"),
    [
        ("link", ".", "."),
        ("link", "/workspace", "."),
        ("link", "/workspace/", "."),
        ("link", "/workspace/folder/", "folder"),
        ("folder/link", "/workspace", ".."),
        ("folder/link", "/workspace//folder", "."),
        ("folder/link", "/workspace/../etc", None),
        ("link", "/workspaces", None),
        ("link", "/", None),
        ("link", "..", None),
    ],
)
def test_links_to_the_workspace(path: str, target: str, expected: str | None) -> None:
    """They are relative in the archive, so that they are links of the session that restores it."""
    link = {"path": path, "size": 0, "modified": 0, "type": "directory", "link": True, "target": target}
    reply = json.dumps({"root": {**link, "path": "", "link": False}, "entries": [link], "next": None})
    client = Buntime(transport=FunctionTransport(lambda _: responses.as_json(responses.result(stdout=reply))))
    file = io.BytesIO()
    result = client.sessions.attach("ses_1").snapshot(file)
    file.seek(0)
    with tarfile.open(fileobj=file) as tar:
        links = {member.name: member.linkname for member in tar}
    assert ({} if expected is None else {path: expected}) == links
    assert (() if expected else (path,)) == result.skipped


@pytest.mark.parametrize("target", ["/workspace", "/workspace/"])
def test_an_archive_with_a_link_to_the_workspace(target: str) -> None:
    """It can be restored: the link does not lead outside."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        member = tarfile.TarInfo("link")
        member.type, member.linkname = tarfile.SYMTYPE, target
        tar.addfile(member)
    archive.seek(0)
    reply = responses.as_json(responses.result(stdout='{"count": 1}'))
    client = Buntime(transport=FunctionTransport(lambda _: reply))
    client.sessions.attach("ses_1").restore(archive)
