"""Settings: arguments, then the environment, checked before any I/O."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from buntime import Buntime, CassetteError, ConfigurationError
from buntime.transport import FunctionTransport, HTTPTransport, LocalTransport
from tests.support import responses
from tests.support.loopback import LoopbackServer, json_reply
from tests.support.scripted import ScriptedTransport, always


def _transport() -> ScriptedTransport:
    return ScriptedTransport(always(responses.as_json, responses.INFO))


@pytest.mark.parametrize(
    ("options", "named"),
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
def test_a_wrong_setting_is_named(options: dict[str, Any], named: str) -> None:
    """Before anything is made or sent."""
    with pytest.raises(ConfigurationError, match=named):
        Buntime(**{"transport": _transport(), **options})


@pytest.mark.parametrize("options", [{"retries": 1}, {"max_retry": 1}, {"base_uri": "x"}])
def test_an_unknown_setting_is_a_type_error(options: dict[str, Any]) -> None:
    """A misspelt option is never dropped."""
    with pytest.raises(TypeError):
        Buntime(transport=_transport(), **options)


def test_a_missing_key_is_an_error_where_one_is_needed() -> None:
    """The message says where it goes, and that one can do without."""
    with pytest.raises(ConfigurationError, match=r"BUNTIME_API_KEY.*BUNTIME_TRANSPORT=local"):
        Buntime()


@pytest.mark.parametrize("key", ["", None])
def test_an_empty_key_is_a_missing_key(key: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """As an argument and in the environment."""
    monkeypatch.setenv("BUNTIME_API_KEY", "")
    with pytest.raises(ConfigurationError, match="no API key"):
        Buntime(key)


def test_a_transport_of_ones_own_needs_no_key() -> None:
    """And gets no credential."""
    transport = _transport()
    Buntime(transport=transport).sessions.info("ses_1")
    assert transport.header("Authorization") is None


def test_the_key_is_sent_as_a_bearer_token() -> None:
    """From the argument."""
    transport = _transport()
    Buntime("btk_1", transport=transport).sessions.info("ses_1")
    assert "Bearer btk_1" == transport.header("Authorization")


def test_the_key_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no argument; the argument wins."""
    monkeypatch.setenv("BUNTIME_API_KEY", "btk_env")
    transport = _transport()
    Buntime(transport=transport).sessions.info("ses_1")
    assert "Bearer btk_env" == transport.header("Authorization")
    Buntime("btk_1", transport=transport).sessions.info("ses_1")
    assert "Bearer btk_1" == transport.header("Authorization")


def test_a_broken_key_of_the_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the variable, so that one looks in the right place."""
    monkeypatch.setenv("BUNTIME_API_KEY", "btk_1\n")
    with pytest.raises(ConfigurationError, match="BUNTIME_API_KEY"):
        Buntime(transport=_transport())


def test_an_authorization_of_ones_own_wins() -> None:
    """It takes the place of the key, and stands in for one."""
    transport = _transport()
    Buntime("btk_1", transport=transport, headers={"authorization": "Basic x"}).sessions.info("ses_1")
    assert "Basic x" == transport.header("Authorization")
    Buntime(headers={"Authorization": "Basic x"}).close()


def test_headers_go_with_every_call() -> None:
    """They win over our own."""
    transport = _transport()
    client = Buntime(transport=transport, headers={"X-Team": "blue", "accept": "x/y"})
    client.sessions.info("ses_1")
    assert ("blue", "x/y") == (transport.header("X-Team"), transport.header("Accept"))
    assert ["accept"] == [name for name, _ in transport.requests[0].headers if name.lower() == "accept"]


@pytest.mark.parametrize("by", ["argument", "environment"])
def test_the_base_url(by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the argument, else from the environment, it goes to the transport that is made."""
    with LoopbackServer(json_reply(responses.INFO)) as server:
        if by == "environment":
            monkeypatch.setenv("BUNTIME_BASE_URL", server.url)
        else:
            monkeypatch.setenv("BUNTIME_BASE_URL", "http://nowhere.invalid")
        with Buntime("btk_1", base_url=server.url if by == "argument" else None) as client:
            client.sessions.info("ses_1")
        assert 1 == len(server.requests)


def test_the_base_url_of_the_environment_is_not_for_other_transports(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A variable set for the live service does not disturb a test's own transport."""
    monkeypatch.setenv("BUNTIME_BASE_URL", "http://nowhere.invalid")
    Buntime(transport=_transport()).sessions.info("ses_1")


def test_the_live_service_is_the_default() -> None:
    """Over HTTPS."""
    with Buntime("btk_1") as client:
        assert "https://api.buntime.sh" in repr(client)
        assert "btk_1" not in repr(client)


@pytest.mark.parametrize("name", ["HTTP", "ftp", "locale", "replay"])
def test_an_unknown_transport_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what it could be."""
    monkeypatch.setenv("BUNTIME_TRANSPORT", name)
    with pytest.raises(ConfigurationError, match=r"BUNTIME_TRANSPORT.*local"):
        Buntime("btk_1")


def test_the_transport_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """``local`` makes the one on this machine, which needs no key and says what is wrong with its Bun."""
    monkeypatch.setenv("BUNTIME_TRANSPORT", "local")
    monkeypatch.setenv("BUNTIME_BUN", "/nowhere/bun")
    with pytest.raises(ConfigurationError, match="/nowhere/bun"):
        Buntime()


def test_a_base_url_has_no_meaning_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of the two is a mistake."""
    monkeypatch.setenv("BUNTIME_TRANSPORT", "local")
    with pytest.raises(ConfigurationError, match="base_url"):
        Buntime(base_url="http://127.0.0.1")


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """As shells and CI files write it."""
    for name in ("BUNTIME_TRANSPORT", "BUNTIME_BASE_URL"):
        monkeypatch.setenv(name, "")
    with Buntime("btk_1") as client:
        assert "https://api.buntime.sh" in repr(client)


def test_a_transport_argument_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """An explicit argument always does."""
    monkeypatch.setenv("BUNTIME_TRANSPORT", "nonsense")
    transport = HTTPTransport("http://127.0.0.1:9")
    with Buntime(transport=transport) as client:
        assert repr(transport) in repr(client)


def test_an_idempotency_key_is_no_header_of_every_call() -> None:
    """One key for all calls would make every session the first one."""
    with pytest.raises(ConfigurationError, match="idempotency_key="):
        Buntime(headers={"idempotency-KEY": "k"}, transport=_transport())


def test_a_program_is_recorded_and_replayed_from_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """BUNTIME_TRANSPORT names the cassette; replay needs no key."""
    path = tmp_path / "x.json"
    monkeypatch.setenv("BUNTIME_TRANSPORT", f"record:{path}")
    with pytest.raises(ConfigurationError, match="no API key"):
        Buntime()
    with LoopbackServer(json_reply({"a": 1})) as server, Buntime("btk_1", base_url=server.url) as client:
        assert {"a": 1} == client.request("GET", "/x").json()
    monkeypatch.setenv("BUNTIME_TRANSPORT", f"replay:{path}")
    with Buntime() as client:
        assert {"a": 1} == client.request("GET", "/x").json()


@pytest.mark.parametrize(
    "name", ["replay", "replay:", "record", "http:x", "local:x", "record+http:x", "tape:x"]
)
def test_a_transport_that_does_not_exist_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With those that do."""
    monkeypatch.setenv("BUNTIME_TRANSPORT", name)
    with pytest.raises(ConfigurationError, match=r"'replay:PATH', 'record:PATH' or 'record\+local:PATH'"):
        Buntime("btk_1")


@pytest.mark.parametrize("name", ["replay:x.json", "record+local:x.json", "local"])
def test_a_base_url_has_no_meaning_without_http(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would not be used, so it is refused."""
    monkeypatch.setenv("BUNTIME_TRANSPORT", name)
    with pytest.raises(ConfigurationError, match="base_url has no effect"):
        Buntime("btk_1", base_url="http://127.0.0.1")


def test_a_cassette_of_the_environment_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Is an error, and no reason to go elsewhere."""
    monkeypatch.setenv("BUNTIME_TRANSPORT", f"replay:{tmp_path / 'x.json'}")
    with pytest.raises(CassetteError, match="there is no cassette"):
        Buntime("btk_1")


def test_a_network_is_asked_for_by_true_or_false() -> None:
    """A word, "no" perhaps, opens no sandbox."""
    network: Any = "no"
    with pytest.raises(ConfigurationError, match="network must be a bool, not str"):
        LocalTransport(network=network)
