"""The error for a pattern of ``glob`` quoted one that the caller had not passed."""

from __future__ import annotations

import re

import pytest

from buntime import Buntime
from buntime.transport import FakeTransport
from tests.support.cases import in_one_test


@in_one_test(
    ("pattern", "message"),
    [
        (".", "pattern is '.', which matches nothing"),
        ("./", "pattern is './', which matches nothing"),
        ("/workspace", "pattern is '/workspace', which matches nothing"),
        ("/workspace/[z-a]", "pattern is '/workspace/[z-a]', which is invalid: bad character range"),
        ("..", "pattern is '..', which may lead outside the workspace"),
    ],
)
def test_the_pattern_of_the_caller(pattern: str, message: str) -> None:
    """Each error of glob quotes the pattern as it was passed."""
    files = Buntime(transport=FakeTransport()).sessions.create().files
    with pytest.raises(ValueError, match=re.escape(message)):
        files.glob(pattern)


@in_one_test(
    ("pattern", "message"),
    [
        ("/", "ignore contains the pattern '/', which matches nothing"),
        ("!a", "ignore contains the pattern '!a', which is an exception; those are not supported"),
        ("[z-a]", "ignore contains the pattern '[z-a]', which is invalid: bad character range"),
    ],
)
def test_an_ignored_pattern(pattern: str, message: str) -> None:
    """The errors of ``ignore=`` quote the pattern among several."""
    files = Buntime(transport=FakeTransport()).sessions.create().files
    with pytest.raises(ValueError, match=re.escape(message)):
        files.watch(ignore=["a", pattern])
