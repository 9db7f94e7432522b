"""Some arguments of Runloop calls failed only in the transport: folders as files, keys with line breaks."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path
from typing import Any, Callable

import pytest

from buntime import ConfigurationError
from buntime.runloop import RunloopSDK
from tests.runloop.client.stub import Stub
from tests.support.cases import in_one_test


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


def _recursive() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def _deep() -> list[Any]:
    value: list[Any] = []
    for _ in range(5000):
        value = [value]
    return value


@in_one_test(
    ("call", "error", "text"),
    [
        (lambda r: r.devbox.list(limit=_recursive()), ValueError, "limit"),
        (lambda r: r.devbox.list(limit=_deep()), ValueError, "limit is "),
        (lambda r: r.devbox.from_id("d").get_tunnel_url(0), ValueError, "port"),
        (lambda r: r.devbox.from_id("d").shell(5), TypeError, "shell_name"),
        (lambda r: r.devbox.create(keep="no"), TypeError, "keep"),
        (lambda r: r.devbox.create(polling_config={"timeout_seconds": 10**400}), ValueError, "timeout"),
        (lambda r: r.devbox.create(timeout=10**400), ConfigurationError, "timeout"),
        (lambda r: r.secret.create("a\0b", "value"), ValueError, "secret_id"),
        (lambda r: r.secret.update(None, "value"), TypeError, "secret_id"),
        (lambda r: r.secret.delete(None), TypeError, "secret_id"),
        (lambda r: r.storage_object.upload_from_text("\ud800", name="a"), ValueError, "content has a lone"),
        (lambda r: r.scenario.builder("s").from_blueprint(None), TypeError, "blueprint"),
        (lambda r: r.scenario.builder("s").from_snapshot(None), TypeError, "snapshot"),
        (
            lambda r: r.scenario.builder("s").add_shell_command_scorer(
                "a", command="b", weight=Decimal("NaN")
            ),
            TypeError,
            "weight",
        ),
        (
            lambda r: r.scenario.builder("s").add_shell_command_scorer("a", command="b", weight=math.nan),
            ValueError,
            "weight",
        ),
    ],
)
def test_refused(call: Callable[[RunloopSDK], object], error: type[Exception], text: str) -> None:
    """The error names the argument, and nothing is sent."""
    stub = Stub()
    with stub.client() as runloop, pytest.raises(error, match=text):
        call(runloop)
    assert [] == stub.requests
