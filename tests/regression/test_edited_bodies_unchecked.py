"""A body that is not a text, in an edited cassette, was an error only later, and a ``TypeError``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from buntime.cassette.file import load
from buntime.errors import CassetteError
from tests.support.cases import in_one_test

REQUEST = {"method": "POST", "path": "/execute", "json": {"code": "1"}}
RESPONSE = {"status": 200, "headers": {}}
ERROR = {"kind": "timeout", "phase": "read", "message": ""}


@in_one_test(
    "data",
    [
        {"request": REQUEST, "response": {**RESPONSE, "text": 5}},
        {"request": REQUEST, "response": {**RESPONSE, "text": None}},
        {"request": REQUEST, "response": {**RESPONSE, "base64": [1]}},
        {"request": REQUEST, "response": {**RESPONSE, "base64": "a"}},
        {"request": {"method": "POST", "path": "/execute", "text": 1}, "response": RESPONSE},
        {"request": {"method": "POST", "path": "/execute", "base64": {}}, "response": RESPONSE},
        {"request": REQUEST, "response": None, "error": ERROR},
        {"request": REQUEST, "response": RESPONSE, "error": None},
        {"request": REQUEST, "response": RESPONSE, "note": "slow"},
    ],
)
def test_wrong_body_is_an_error_of_the_file(data: Any, tmp_path: Path) -> None:
    """Loading it raises the error of a file that is not a cassette."""
    path = tmp_path / "edited.json"
    path.write_text(
        json.dumps({"buntime_cassette": 2, "changed": "2026-01-01", "interactions": [data]}), encoding="utf-8"
    )
    with pytest.raises(CassetteError, match="interaction 1 does not have the form of one"):
        load(path)
