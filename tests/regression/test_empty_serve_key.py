"""``buntime serve`` with an empty API key required no key."""

from __future__ import annotations

import pytest

from buntime.cli.main import main
from buntime.service.server.serve import ServeError, serve
from buntime.transport import FakeTransport


@pytest.mark.parametrize("key", ["", " ", "a b", "a\n", "\tkey", "schlüssel"])
def test_an_unusable_key_is_rejected(key: str) -> None:
    """The error is raised before the server starts, explains how to serve without one, and hides the key."""
    with pytest.raises(ServeError, match="leave --api-key and BUNTIME_SERVE_API_KEY out") as caught:
        serve(
            FakeTransport(),
            host="127.0.0.1",
            port=0,
            api_key=key,
            threads=1,
            ready=lambda _url: pytest.fail("it serves"),
        )
    assert not key.strip() or key not in str(caught.value)


@pytest.mark.parametrize(
    ("argument", "variable"), [([], ""), (["--api-key", ""], None), (["--api-key="], "key")]
)
def test_an_empty_argument_or_variable_is_rejected(
    argument: list[str],
    variable: str | None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An unset shell variable in a script must not disable authentication."""
    if variable is not None:
        monkeypatch.setenv("BUNTIME_SERVE_API_KEY", variable)
    assert 125 == main(["serve", "--isolation", "none", "--port", "0", *argument])
    assert "the API key is empty" in capsys.readouterr().err
