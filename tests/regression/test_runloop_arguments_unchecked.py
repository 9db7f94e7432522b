"""Some arguments of Runloop calls failed only in the transport: folders as files, keys with line breaks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runloop.client.stub import Stub


@pytest.mark.parametrize(("key", "error"), [(5, TypeError), ("a\nb", ValueError), ("ü", ValueError)])
def test_idempotency_key(key: object, error: type[Exception]) -> None:
    """It must be a text that a header can have."""
    stub = Stub()
    with stub.client() as runloop, pytest.raises(error, match="idempotency_key"):
        runloop.devbox.from_id("dbx_1").keep_alive(idempotency_key=key)  # type: ignore[arg-type]  # wrong
    assert [] == stub.requests


def test_folder_as_a_file(tmp_path: Path) -> None:
    """Only a regular file has a size that a form can begin with."""
    stub = Stub()
    with stub.client() as runloop, pytest.raises(ValueError, match="is not a file"):
        runloop.devbox.from_id("dbx_1").file.upload(path="a", file=tmp_path)
    assert [] == stub.requests
