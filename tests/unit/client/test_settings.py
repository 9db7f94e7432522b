"""Settings: arguments, then the environment, validated before any I/O."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from buntime import Buntime, CassetteError, ConfigurationError
from buntime.transport import FunctionTransport, HTTPTransport, LocalTransport
from tests.support import responses
from tests.support.cases import in_one_test
from tests.support.loopback import LoopbackServer, json_reply
from tests.support.scripted import ScriptedTransport, always


def _transport() -> ScriptedTransport:
    return ScriptedTransport(always(responses.as_json, responses.INFO))


@in_one_test(
    ("options", "message"),
    [
        ({"timeout": 0}, "timeout"),
        ({"timeout": -1}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
        ({"timeout": float("inf")}, "timeout"),
        ({"timeout": "30"}, "timeout"),
        ({"timeout": True}, "timeout"),
        ({"deadline": 0}, "deadline"),
        ({"deadline": "soon"}, "deadline"),
        ({"retry_delay": -1}, "retry_delay"),
        ({"retry_delay": float("inf")}, "retry_delay"),
        ({"max_retries": -1}, "max_retries"),
        ({"max_retries": 1.5}, "max_retries"),
        ({"max_retries": True}, "max_retries"),
        ({"headers": [("A", "b")]}, "headers"),
        ({"headers": {"A": 1}}, "headers"),
        ({"headers": {"A b": "c"}}, "A b"),
        ({"headers": {"": "c"}}, "headers"),
        ({"headers": {"X-Note": "a\r\nB: c"}}, "X-Note"),
        ({"headers": {"X-Note": "\u20ac"}}, "X-Note"),
        ({"api_key": "btk_1\n"}, "api_key"),
        ({"api_key": " btk_1"}, "api_key"),
        ({"api_key": "btk 1"}, "api_key"),
        ({"delete_on_close": "yes"}, "delete_on_close"),
        ({"api_key": "btk_\u00e9"}, "api_key"),
        ({"api_key": b"btk_1"}, "api_key"),
        ({"base_url": "http://127.0.0.1"}, "base_url"),
        ({"transport": "local"}, "transport"),
        ({"transport": object()}, "transport"),
        ({"transport": FunctionTransport}, "transport must be an instance: pass FunctionTransport"),
        ({"on_retry": 3}, "on_retry"),
    ],
)
def test_an_invalid_setting_is_named(options: dict[str, Any], message: str) -> None:
    """The error is raised before a transport is created or a request is sent."""
    with pytest.raises(ConfigurationError, match=message):
        Buntime(**{"transport": _transport(), **options})


@pytest.mark.parametrize("options", [{"retries": 1}, {"max_retry": 1}, {"base_uri": "x"}])
def test_an_unknown_setting_is_a_type_error(options: dict[str, Any]) -> None:
    """A misspelt option is not ignored."""
    with pytest.raises(TypeError):
        Buntime(transport=_transport(), **options)


def test_a_missing_key_is_an_error_if_one_is_required() -> None:
    """The message of the first call shows how to pass a key and how to work without one."""
    with (
        Buntime() as client,
        pytest.raises(ConfigurationError, match=r"BUNTIME_API_KEY.*BUNTIME_TRANSPORT=local"),
    ):
        client.sessions.info("ses_1")


@pytest.mark.parametrize("key", ["", None])
def test_an_empty_key_is_a_missing_key(key: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty argument and an empty variable are equivalent to none."""
    monkeypatch.setenv("BUNTIME_API_KEY", "")
    with Buntime(key) as client, pytest.raises(ConfigurationError, match="no API key"):
        client.sessions.info("ses_1")


def test_a_custom_transport_needs_no_key() -> None:
    """It receives no credential."""
    transport = _transport()
    Buntime(transport=transport).sessions.info("ses_1")
    assert transport.header("Authorization") is None


def test_the_key_is_sent_as_a_bearer_token() -> None:
    """The argument `api_key` is the token."""
    transport = _transport()
    Buntime("btk_1", transport=transport).sessions.info("ses_1")
    assert "Bearer btk_1" == transport.header("Authorization")


def test_the_key_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the default; the argument wins."""
    monkeypatch.setenv("BUNTIME_API_KEY", "btk_env")
    transport = _transport()
    Buntime(transport=transport).sessions.info("ses_1")
    assert "Bearer btk_env" == transport.header("Authorization")
    Buntime("btk_1", transport=transport).sessions.info("ses_1")
    assert "Bearer btk_1" == transport.header("Authorization")


def test_an_invalid_key_of_the_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the variable."""
    monkeypatch.setenv("BUNTIME_API_KEY", "btk_1\n")
    with pytest.raises(ConfigurationError, match="BUNTIME_API_KEY"):
        Buntime(transport=_transport())


def test_a_custom_authorization_header_wins() -> None:
    """It replaces the key, and no key is then required."""
    transport = _transport()
    Buntime("btk_1", transport=transport, headers={"authorization": "Basic x"}).sessions.info("ses_1")
    assert "Basic x" == transport.header("Authorization")
    Buntime(headers={"Authorization": "Basic x"}).close()


def test_headers_are_sent_with_every_request() -> None:
    """They override the client's own headers."""
    transport = _transport()
    client = Buntime(transport=transport, headers={"X-Team": "blue", "accept": "x/y"})
    client.sessions.info("ses_1")
    assert ("blue", "x/y") == (transport.header("X-Team"), transport.header("Accept"))
    assert ["accept"] == [name for name, _ in transport.requests[0].headers if name.lower() == "accept"]


@pytest.mark.parametrize("source", ["argument", "environment"])
def test_the_base_url(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The argument, or else the environment, sets the URL of the created transport."""
    with LoopbackServer(json_reply(responses.INFO)) as server:
        if source == "environment":
            monkeypatch.setenv("BUNTIME_BASE_URL", server.url)
        else:
            monkeypatch.setenv("BUNTIME_BASE_URL", "http://nowhere.invalid")
        with Buntime("btk_1", base_url=server.url if source == "argument" else None) as client:
            client.sessions.info("ses_1")
        assert 1 == len(server.requests)


def test_the_base_url_of_the_environment_is_not_for_other_transports(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A variable set for the live service does not affect the transport of a test."""
    monkeypatch.setenv("BUNTIME_BASE_URL", "http://nowhere.invalid")
    Buntime(transport=_transport()).sessions.info("ses_1")


def test_the_live_service_is_the_default() -> None:
    """The default is HTTPS."""
    with Buntime("btk_1") as client:
        assert "https://api.buntime.sh" in repr(client)
        assert "btk_1" not in repr(client)


@pytest.mark.parametrize("name", ["HTTP", "ftp", "locale", "replay"])
def test_an_unknown_transport_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error lists the valid names."""
    monkeypatch.setenv("BUNTIME_TRANSPORT", name)
    with pytest.raises(ConfigurationError, match=r"BUNTIME_TRANSPORT.*local"):
        Buntime("btk_1")


def test_the_transport_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """``local`` creates the transport of this machine, which needs no key and reports a missing Bun."""
    monkeypatch.setenv("BUNTIME_TRANSPORT", "local")
    monkeypatch.setenv("BUNTIME_BUN", "/nowhere/bun")
    with pytest.raises(ConfigurationError, match="/nowhere/bun"):
        Buntime()


def test_a_base_url_conflicts_with_the_local_transport(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of the two is a mistake."""
    monkeypatch.setenv("BUNTIME_TRANSPORT", "local")
    with pytest.raises(ConfigurationError, match="base_url"):
        Buntime(base_url="http://127.0.0.1")


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shells and CI files often set variables to an empty text."""
    for name in ("BUNTIME_TRANSPORT", "BUNTIME_BASE_URL"):
        monkeypatch.setenv(name, "")
    with Buntime("btk_1") as client:
        assert "https://api.buntime.sh" in repr(client)


def test_a_transport_argument_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """An explicit argument always wins."""
    monkeypatch.setenv("BUNTIME_TRANSPORT", "nonsense")
    transport = HTTPTransport("http://127.0.0.1:9")
    with Buntime(transport=transport) as client:
        assert repr(transport) in repr(client)


def test_an_idempotency_key_is_rejected_as_a_client_header() -> None:
    """With one key for all requests, every `create` would return the first session."""
    with pytest.raises(ConfigurationError, match="idempotency_key="):
        Buntime(headers={"idempotency-KEY": "k"}, transport=_transport())


def test_a_program_is_recorded_and_replayed_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """BUNTIME_TRANSPORT names the cassette; replay needs no key."""
    path = tmp_path / "x.json"
    monkeypatch.setenv("BUNTIME_TRANSPORT", f"record:{path}")
    with Buntime() as client, pytest.raises(ConfigurationError, match="no API key"):
        client.request("GET", "/x")
    with LoopbackServer(json_reply({"a": 1})) as server, Buntime("btk_1", base_url=server.url) as client:
        assert {"a": 1} == client.request("GET", "/x").json()
    monkeypatch.setenv("BUNTIME_TRANSPORT", f"replay:{path}")
    with Buntime() as client:
        assert {"a": 1} == client.request("GET", "/x").json()


@in_one_test("name", ["replay", "replay:", "record", "http:x", "local:x", "record+http:x", "tape:x"])
def test_an_unknown_transport_scheme_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error lists the valid ones."""
    monkeypatch.setenv("BUNTIME_TRANSPORT", name)
    with pytest.raises(ConfigurationError, match=r"'replay:PATH', 'record:PATH' or 'record\+local:PATH'"):
        Buntime("btk_1")


@pytest.mark.parametrize("name", ["replay:x.json", "record+local:x.json", "local"])
def test_a_base_url_conflicts_with_other_transports(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would have no effect, so it is an error."""
    monkeypatch.setenv("BUNTIME_TRANSPORT", name)
    with pytest.raises(ConfigurationError, match="base_url has no effect"):
        Buntime("btk_1", base_url="http://127.0.0.1")


def test_a_missing_cassette_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an error; the client does not fall back to another transport."""
    monkeypatch.setenv("BUNTIME_TRANSPORT", f"replay:{tmp_path / 'x.json'}")
    with pytest.raises(CassetteError, match=r"the cassette .* does not exist"):
        Buntime("btk_1")


def test_network_must_be_a_boolean() -> None:
    """A string such as "no" does not enable the network."""
    network: Any = "no"
    with pytest.raises(ConfigurationError, match="network must be a bool, not str"):
        LocalTransport(network=network)
