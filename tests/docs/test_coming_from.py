"""The pages for users of other libraries name calls that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from buntime import (
    Buntime,
    ExecuteResult,
    ExecuteStream,
    Process,
    Session,
    SessionFiles,
    SessionPool,
    Sessions,
)
from tests.docs.markdown import DOCS

_OBJECTS = {
    "client": Buntime,
    "client.sessions": Sessions,
    "files": SessionFiles,
    "pool": SessionPool,
    "process": Process,
    "result": ExecuteResult,
    "session": Session,
    "session.files": SessionFiles,
    "stream": ExecuteStream,
}
_NAME = re.compile(r"\b((?:client|session|files|pool|process|result|stream)(?:\.(?:sessions|files))?)\.(\w+)")


# The page for users of vcrpy is about options, and that for users of Runloop about other classes.
_OTHERS = {"runloop", "vcrpy"}
_PAGES = [page for page in sorted((DOCS / "coming-from").glob("*.md")) if page.stem not in _OTHERS]


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.stem)
def test_calls_exist(page: Path) -> None:
    """Each call in the last column of a table exists."""
    rows = [line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    codes = [code for row in rows[1:] for code in re.findall(r"`([^`]+)`", row.split(" | ")[-1])]
    names = [match.groups() for code in codes for match in _NAME.finditer(code)]
    assert len(names) >= 10
    missing = [name for name in names if name[1] not in _fields(_OBJECTS[name[0]])]
    assert missing == []


def _fields(cls: type) -> set[str]:
    return {*dir(cls), *getattr(cls, "__annotations__", ())}
