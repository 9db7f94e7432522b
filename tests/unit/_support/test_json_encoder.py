"""A faster encoder of JSON."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from buntime._support.json_encoder import json_encoder

_VALUE = {"text": 'é "\n\ud800', "numbers": [0, -1.5, 1e300, True, None], "": {}, "empty": []}


@pytest.fixture(params=["in C", "in Python"])
def python(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "in Python":
        monkeypatch.setattr(json.encoder, "c_make_encoder", None)


@pytest.mark.usefixtures("python")
@pytest.mark.parametrize("value", [_VALUE, "é", 1, [_VALUE, _VALUE]], ids=repr)
@pytest.mark.parametrize("ensure_ascii", [True, False])
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_text_is_that_of_the_standard_library(
    value: Any, ensure_ascii: bool, separators: tuple[str, str]
) -> None:
    encode = json_encoder(ensure_ascii=ensure_ascii, separators=separators)
    assert encode(value) == json.dumps(value, ensure_ascii=ensure_ascii, separators=separators)


@pytest.mark.usefixtures("python")
def test_value_that_is_not_json_is_refused() -> None:
    circular: list[Any] = []
    circular.append(circular)
    with pytest.raises(RecursionError):
        json_encoder()(circular)
    with pytest.raises(TypeError, match="set is not JSON serializable"):
        json_encoder()([set()])
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_encoder(allow_nan=False)(math.nan)
    assert json_encoder()(math.nan) == "NaN"
