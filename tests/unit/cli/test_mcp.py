"""``buntime mcp``: its options, and the sandboxes of its conversations, without the package ``mcp``."""

from __future__ import annotations

import sys
import time
from types import SimpleNamespace
from typing import Any, Callable, Optional

import pytest

from buntime import Session
from buntime.cli.main import main
from buntime.client import settings
from buntime.runloop import Devbox
from buntime.transport import FakeTransport

Serve = Callable[[Any, Optional[tuple[str, int]], Callable[[str], object]], None]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeTransport:
    """Return the fake that ``--local`` stands for."""
    fake = FakeTransport()
    make: Callable[..., FakeTransport] = lambda name, *_, **__: fake if name == "local" else pytest.fail(name)  # noqa: E731
    monkeypatch.setattr(settings, "make_transport", make)
    monkeypatch.delenv("RUNLOOP_TRANSPORT", raising=False)
    return fake


def _serve_with(monkeypatch: pytest.MonkeyPatch, serve: Optional[Serve]) -> None:
    """Replace the server; with ``None``, the package ``mcp`` is missing."""
    module = None if serve is None else SimpleNamespace(serve=serve)
    monkeypatch.setitem(sys.modules, "buntime.tools.server", module)
    # The command sets one of them for its process.
    for name in ("BUNTIME_TRANSPORT", "RUNLOOP_TRANSPORT"):
        monkeypatch.setenv(name, "")


def test_the_package_is_missing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The error names the extra."""
    _serve_with(monkeypatch, None)
    assert 125 == main(["mcp", "--local"])
    assert 'the extra mcp: pip install "buntime[mcp]"' in capsys.readouterr().err


@pytest.mark.parametrize(
    "text", ["8080", "0.0.0.0:8080", "example.com:80", "127.0.0.1", "127.0.0.1:", "[::]:1"]
)
def test_an_address_of_the_network_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Anyone who reaches the server could run programs with the key."""
    with pytest.raises(SystemExit, match="2"):
        main(["mcp", "--http", text])
    assert "is not the loopback and a port, such as 127.0.0.1:8080" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "address"),
    [
        (["--local"], None),
        (["--transport", "local", "--http", "[::1]:0"], ("::1", 0)),
        (["--local", "--http", "localhost:8080"], ("localhost", 8080)),
    ],
)
def test_sessions(
    fake: FakeTransport,
    arguments: list[str],
    address: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A conversation has a session that is kept awake, and deleted at its end."""

    def serve(open_sandbox: Any, served: Any, ready: Callable[[str], object]) -> None:
        assert address == served
        assert {} == fake.sessions
        with open_sandbox() as sandbox:
            assert isinstance(sandbox, Session)
            fake.advance(2000)
            assert "active" == sandbox.info().state
        ready("http://localhost:1/mcp")

    _serve_with(monkeypatch, serve)
    assert 0 == main(["mcp", *arguments])
    assert {} == fake.sessions
    captured = capsys.readouterr()
    assert ("", "buntime serves MCP on http://localhost:1/mcp (Ctrl-C ends it)\n") == (
        captured.out,
        captured.err,
    )


def test_devboxes(
    fake: FakeTransport, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With ``--runloop`` it is a devbox; a failed request to keep it alive is logged."""
    fake.fail_next(400, call="devboxes.keep_alive")

    def serve(open_sandbox: Any, *_: Any) -> None:
        with open_sandbox() as sandbox:
            assert isinstance(sandbox, Devbox)
            while not caplog.records:
                time.sleep(0.01)
        assert "shutdown" == sandbox.get_info().status

    _serve_with(monkeypatch, serve)
    assert 0 == main(["mcp", "--runloop", "--local"])
    assert "was not kept alive" in caplog.text
