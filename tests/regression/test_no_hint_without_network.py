"""An import failed because there was no network, without an explanation or a variable to enable it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from buntime import Buntime, ConfigurationError, StreamEvent
from buntime.transport import LocalTransport

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sandboxes need Linux")

HINT = "buntime: this session has no network; LocalTransport(network=True) or BUNTIME_NETWORK=1 lets it out\n"
FETCH = "await fetch('http://example.invalid')"


@pytest.mark.parametrize("code", ["import _ from 'lodash'; console.log(_)", FETCH])
def test_a_name_that_cannot_be_resolved_gives_a_hint(code: str) -> None:
    """The hint is on stderr, and in a stream as an event."""
    with Buntime(transport=LocalTransport(), max_retries=0) as client, client.sessions.create() as session:
        result = session.execute(code)
        stream = session.stream(code)
        events = list(stream)

    assert result.exit_code == 1
    assert result.stderr.endswith(HINT)
    assert events[-1] == StreamEvent("stderr", HINT)
    assert stream.result.stderr.endswith(HINT)


@pytest.mark.parametrize("code", ["throw new Error('no')", "console.error('EAI_AGAIN')"])
def test_no_other_program_gets_the_hint(code: str) -> None:
    """Programs that succeed or fail for another reason get no hint."""
    with Buntime(transport=LocalTransport(), max_retries=0) as client, client.sessions.create() as session:
        assert "buntime:" not in session.execute(code).stderr


@pytest.mark.parametrize(("value", "reached"), [("1", True), ("true", True), ("0", False), ("", False)])
def test_a_variable_enables_the_network(monkeypatch: pytest.MonkeyPatch, value: str, reached: bool) -> None:
    """The session then uses the network of the host."""
    monkeypatch.setenv("BUNTIME_NETWORK", value)
    with Buntime(transport=LocalTransport(), max_retries=0) as client, client.sessions.create() as session:
        network = session.execute(command="readlink /proc/self/ns/net", check=True).stdout.strip()

    assert reached == (network == str(Path("/proc/self/ns/net").readlink()))


def test_the_argument_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """The argument overrides the variable."""
    monkeypatch.setenv("BUNTIME_NETWORK", "1")
    transport = LocalTransport(network=False)
    with Buntime(transport=transport, max_retries=0) as client, client.sessions.create() as session:
        assert session.execute(FETCH).stderr.endswith(HINT)


def test_an_invalid_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """An invalid value raises an error that names the variable."""
    monkeypatch.setenv("BUNTIME_NETWORK", "maybe")
    with pytest.raises(ConfigurationError, match="BUNTIME_NETWORK must be 1 or 0, not 'maybe'"):
        LocalTransport()
