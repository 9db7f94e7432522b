"""A list in the reply of a helper that was not one became a built-in error, or paths of one character."""

from __future__ import annotations

import json
from typing import Any

import pytest

from buntime import Buntime, InvalidResponseError, Session, SnapshotResult
from tests.support import responses
from tests.support.archives import small_archive
from tests.support.cases import in_one_test
from tests.support.scripted import ScriptedTransport, always


def _session(reply: dict[str, Any]) -> Session:
    result = responses.result(stdout=json.dumps(reply))
    client = Buntime(transport=ScriptedTransport(always(responses.as_json, result)), max_retries=0)
    return client.sessions.attach("ses_1")


@in_one_test("skipped", [7, "abc", {"a": 1}, [1], [None], True])
def test_skipped_paths_of_a_restored_archive(skipped: Any) -> None:
    """Anything but a list of texts is an invalid response."""
    with pytest.raises(InvalidResponseError, match="has no list of skipped"):
        _session({"count": 1, "skipped": skipped}).restore(small_archive())


@in_one_test(("reply", "expected"), [({}, ()), ({"skipped": None}, ()), ({"skipped": ["a"]}, ("a",))])
def test_paths_that_were_skipped(reply: dict[str, Any], expected: tuple[str, ...]) -> None:
    """A session that can write all members reports none."""
    assert SnapshotResult(1, 0, (), expected) == _session({"count": 1, **reply}).restore(small_archive())


@in_one_test(
    "fields",
    [{"headers": 7}, {"headers": [1]}, {"headers": [["a"]]}, {"headers": [["a", 1]]}, {"base64": "a"}],
)
def test_headers_of_a_fetched_page(fields: dict[str, Any]) -> None:
    """Headers are pairs of texts, and the content is base64."""
    with pytest.raises(InvalidResponseError, match="the reply of a helper has"):
        _session({"status": 200, "headers": [], "base64": "", **fields}).fetch(80)
