"""``buntime.testing``: cassettes in unittest and in any with block."""

from __future__ import annotations

import importlib
import json
import os
import socket
import unittest
from pathlib import Path
from typing import Any

import pytest

import buntime
from buntime import Buntime, CassetteError, ConfigurationError
from buntime.runloop import RunloopSDK
from buntime.testing import cassette
from buntime.testing.modes import CaseSettings, open_case
from buntime.transport import FakeTransport, Request, Response


def _fake() -> FakeTransport:
    fake = FakeTransport()
    fake.on_execute("hello()", stdout="hello\n")
    fake.on_execute(contains="", stdout="other\n")
    return fake


def _hello(client: Buntime, code: str = "hello()") -> str:
    with client.sessions.create() as session:
        return session.execute(code).stdout


def _failing(client: Buntime, error: type[BaseException], code: str = "hello()") -> None:
    client.sessions.create().execute(code)
    raise error


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """Return a cassette of one execution."""
    path = tmp_path / "tapes" / "hello.json"
    with cassette(path, mode="record", source=_fake) as client:
        _hello(client)
    return path


def _content(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.parent.iterdir()}


def test_a_recording_is_replayed_without_network(tape: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replay needs no key and is the default mode."""
    monkeypatch.delattr(socket, "socket")
    assert ["hello.json"] == list(_content(tape))
    with cassette(tape) as client:
        assert "hello\n" == _hello(client)


def test_a_path_may_be_a_string(tape: Path) -> None:
    """Every function that accepts a path accepts a string."""
    with cassette(str(tape)) as client:
        assert "hello\n" == _hello(client)


def test_a_missing_cassette(tmp_path: Path) -> None:
    """The error shows how to record it, and no file is written."""
    with pytest.raises(
        CassetteError, match=r"the cassette .*nowhere.json does not exist.*--buntime-mode=record"
    ):
        cassette(tmp_path / "nowhere.json", source=_fake).__enter__()
    assert [] == list(tmp_path.iterdir())


def test_recording_without_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the way without an account, and nothing is written."""
    monkeypatch.delenv("BUNTIME_API_KEY", raising=False)
    with pytest.raises(ConfigurationError, match=r"set BUNTIME_API_KEY; or .* pytest --buntime-source=local"):
        cassette(tmp_path / "x.json", mode="record", source="http").__enter__()
    assert [] == list(tmp_path.iterdir())


def test_unplayed_interactions_are_an_error_at_the_end(tape: Path) -> None:
    """Each interaction is listed."""
    with pytest.raises(CassetteError, match="not played") as caught, cassette(tape) as client:
        client.sessions.create()
    assert "POST /execute" in str(caught.value)
    assert "DELETE /sessions/ses_1" in str(caught.value)
    assert "--buntime-mode=record" in str(caught.value)


def test_unplayed_interactions_may_be_allowed(tape: Path) -> None:
    """With `allow_unplayed` it is not an error."""
    with cassette(tape, allow_unplayed=True) as client:
        client.sessions.create()


def test_an_error_in_the_block_is_raised(tape: Path) -> None:
    """In every mode, it takes precedence over the errors of the cassette."""
    before = _content(tape)
    for mode in ("replay", "record", "verify", "live"):
        with pytest.raises(ZeroDivisionError), cassette(tape, mode=mode, source=_fake) as client:
            _failing(client, ZeroDivisionError)
    assert before == _content(tape)


def test_a_failed_block_writes_no_cassette(tmp_path: Path) -> None:
    """It writes no partial one either."""
    path = tmp_path / "x.json"
    with pytest.raises(KeyboardInterrupt), cassette(path, mode="record", source=_fake) as client:
        _failing(client, KeyboardInterrupt)
    assert [] == list(tmp_path.iterdir())


def test_recording_again(tape: Path) -> None:
    """Unchanged interactions stay identical to the byte; changed ones are recorded."""
    before = _content(tape)
    with cassette(tape, mode="record", source=_fake) as client:
        _hello(client)
    assert before == _content(tape)
    with cassette(tape, mode="record", source=_fake) as client:
        _hello(client, "something_else()")
    with cassette(tape) as client:
        assert "other\n" == _hello(client, "something_else()")


def test_verify(tape: Path) -> None:
    """It passes if nothing changed, raises the difference otherwise, and never writes."""
    before = _content(tape)
    with cassette(tape, mode="verify", source=_fake) as client:
        _hello(client)
    changed = FakeTransport()
    changed.on_execute("hello()", stdout="hullo\n")
    verifying = cassette(tape, mode="verify", source=lambda: changed)
    with pytest.raises(CassetteError, match="does not answer as") as caught, verifying as client:
        _hello(client)
    lines = str(caught.value).splitlines()
    assert any(line.startswith("-") and "hello" in line for line in lines)
    assert any(line.startswith("+") and "hullo" in line for line in lines)
    verifying = cassette(tape, mode="verify", source=_fake)
    with pytest.raises(CassetteError, match="the program does not send as"), verifying as client:
        _hello(client, "something_else()")
    assert before == _content(tape)


def test_a_failed_block_that_could_not_be_compared(tape: Path) -> None:
    """The error of the block is raised, and no file remains."""
    before = _content(tape)
    with pytest.raises(ZeroDivisionError), cassette(tape, mode="verify", source=_fake) as client:
        _failing(client, ZeroDivisionError, "call('ghp_" + "a1B2" * 9 + "')")
    assert before == _content(tape)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_leaves_the_block(tape: Path) -> None:
    """The block ends in the process that entered it; the child removes nothing."""
    before = _content(tape)
    verifying = cassette(tape, mode="verify", source=_fake)
    client = verifying.__enter__()
    pid = os.fork()
    if pid == 0:
        try:
            verifying.__exit__(None, None, None)
        finally:
            os._exit(0)
    assert 0 == os.waitpid(pid, 0)[1]
    _hello(client)
    verifying.__exit__(None, None, None)
    assert before == _content(tape)


def test_live(tape: Path) -> None:
    """The cassette is not used."""
    before = _content(tape)
    with cassette(tape.with_name("none.json"), mode="live", source=_fake) as client:
        assert "hello\n" == _hello(client)
    assert before == _content(tape)


def test_the_client_may_be_closed_in_the_block(tmp_path: Path) -> None:
    """Later requests are recorded too."""
    path = tmp_path / "x.json"
    with cassette(path, mode="record", source=_fake) as client:
        client.close()
        _hello(client)
    with cassette(path) as client, client:
        _hello(client)


def test_the_source_is_closed(tmp_path: Path) -> None:
    """It is closed at the end of the block, with or without an error."""
    transports = [_fake(), _fake()]
    sources = iter(transports)
    with cassette(tmp_path / "x.json", mode="record", source=lambda: next(sources)):
        pass
    with pytest.raises(OSError), cassette(tmp_path / "x.json", mode="record", source=lambda: next(sources)):
        raise OSError
    for source in transports:
        with Buntime(transport=source) as client, pytest.raises(RuntimeError, match="closed"):
            client.sessions.create()


def test_the_environment_chooses_the_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script is recorded without a change; an argument wins."""
    path = tmp_path / "x.json"
    monkeypatch.setenv("BUNTIME_MODE", "record")
    with cassette(path, source=_fake) as client:
        _hello(client)
    assert path.is_file()
    monkeypatch.setenv("BUNTIME_TRANSPORT", "neither of both")
    with cassette(path, mode="replay") as client:
        _hello(client)


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        ({"mode": "fly"}, {}, "mode is 'fly'; it can be 'replay', 'record', 'once', 'verify' or 'live'"),
        ({}, {"BUNTIME_MODE": "fly"}, "BUNTIME_MODE is 'fly'"),
        ({"mode": "record", "source": "ftp"}, {}, "source is 'ftp'; it can be 'http' or 'local'"),
        ({"mode": "record"}, {"BUNTIME_TRANSPORT": "ftp"}, "BUNTIME_TRANSPORT is 'ftp'"),
        ({"mode": "record"}, {}, "BUNTIME_API_KEY"),
        ({"mode": "live"}, {}, "BUNTIME_API_KEY"),
        ({"mode": "live", "source": "local"}, {"BUNTIME_BUN": "/nowhere/bun"}, "/nowhere/bun"),
    ],
)
def test_invalid_settings(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: dict[str, Any],
    environment: dict[str, str],
    message: str,
) -> None:
    """They are reported before anything is sent or written."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as caught:
        cassette(tmp_path / "x.json", **arguments).__enter__()
    assert message in str(caught.value)
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("mode", ["replay", "record", "verify", "live"])
def test_a_source_that_is_a_transport(tape: Path, mode: str) -> None:
    """It is rejected in every mode: a test that only replays would have to create it, too."""
    with pytest.raises(TypeError, match="a function that makes a transport"):
        cassette(tape, mode=mode, source=_fake()).__enter__()  # type: ignore[call-overload] # the point of the test


@pytest.mark.parametrize("mode", ["record", "verify", "live"])
def test_an_invalid_key_leaves_no_file(tape: Path, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    """It is an error before a file is opened."""
    before = _content(tape)
    monkeypatch.setenv("BUNTIME_API_KEY", "btk_1\n")
    with pytest.raises(ConfigurationError, match="BUNTIME_API_KEY"):
        cassette(tape, mode=mode, source=_fake).__enter__()
    assert before == _content(tape)


@pytest.mark.parametrize("mode", ["record", "verify"])
def test_arguments_of_the_recording_are_validated(tape: Path, mode: str) -> None:
    """A source that returns no transport, and one string in place of several."""
    before = _content(tape)
    with pytest.raises(TypeError, match="transport"):
        cassette(tape, mode=mode, source=lambda: None).__enter__()  # type: ignore[arg-type, return-value] # tested
    with pytest.raises(TypeError, match="several texts"):
        cassette(tape, mode=mode, source=_fake, allow="ghp_").__enter__()
    assert before == _content(tape)


def test_a_well_known_key_blocks_the_cassette(tmp_path: Path) -> None:
    """The error is raised at the end of the block, and no file is written; a false alarm can be allowed."""
    path = tmp_path / "x.json"
    code = "call('ghp_" + "a1B2" * 9 + "')"
    with pytest.raises(CassetteError, match="GitHub"), cassette(path, mode="record", source=_fake) as client:
        _hello(client, code)
    assert [] == list(tmp_path.iterdir())
    with cassette(path, mode="record", source=_fake, allow=["ghp_a1B2"]) as client:
        _hello(client, code)
    assert path.is_file()


def test_in_a_unittest(tape: Path) -> None:
    """A test case can use it directly, and a cassette with unplayed interactions is a failure."""

    class Case(unittest.TestCase):
        def test_all(self) -> None:
            with cassette(tape) as client:
                self.assertEqual("hello\n", _hello(client))  # noqa: PT009 - it is a unittest

        def test_nothing(self) -> None:
            with cassette(tape):
                pass

    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(Case).run(result)
    assert 2 == result.testsRun
    assert ["test_nothing"] == [str(case).split()[0] for case, _ in result.errors]


def test_a_cassette_is_readable(tape: Path) -> None:
    """It is JSON with a header."""
    assert {"buntime_cassette", "changed", "interactions"} == set(json.loads(tape.read_text()))


def test_it_is_imported_separately() -> None:
    """``import buntime`` does not import it."""
    assert cassette is importlib.import_module("buntime.testing").cassette is buntime.testing.cassette


def test_a_client_of_runloop(tmp_path: Path) -> None:
    """Its key is the one that is checked, and the key of buntime.sh is not needed."""
    tape = tmp_path / "x.json"

    def fake() -> FakeTransport:
        transport = FakeTransport()
        transport.on_execute(command="echo hi", stdout="hi\n")
        return transport

    def program(runloop: RunloopSDK) -> str:
        with runloop.devbox.create() as devbox:
            return devbox.cmd.exec("echo hi").stdout()

    with cassette(tape, client=RunloopSDK, mode="record", source=fake) as runloop:
        program(runloop)
    with cassette(tape, client=RunloopSDK) as runloop:
        assert "hi\n" == program(runloop)
    with cassette(tape, client=RunloopSDK, mode="verify", source=fake) as runloop:
        program(runloop)


def test_http_to_both_services(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each request goes to its service; a missing key is an error before anything is opened."""
    sent: list[tuple[str, str]] = []

    class Transport:
        def __init__(self, url: str) -> None:
            self.url = url

        def send(self, request: Request) -> Response:
            sent.append((self.url, request.path))
            return Response(200, {"Content-Type": "application/json"}, [b"{}"])

        def close(self) -> None:
            sent.append((self.url, "closed"))

    monkeypatch.setattr("buntime.transport.HTTPTransport", Transport)
    monkeypatch.delenv("RUNLOOP_API_KEY", raising=False)
    monkeypatch.setenv("BUNTIME_API_KEY", "btk")
    with pytest.raises(ConfigurationError, match="RUNLOOP_API_KEY"):
        cassette(tmp_path / "x.json", client=RunloopSDK, mode="record").__enter__()
    assert [] == [*tmp_path.iterdir()]
    monkeypatch.setenv("RUNLOOP_API_KEY", "rk")
    case = open_case(tmp_path / "x.json", CaseSettings("live", "http", ""))
    case.client(Buntime).request("GET", "/files/list")
    case.client(RunloopSDK).api.get("/v1/devboxes")
    case.commit()
    urls = ["https://api.buntime.sh", "https://api.runloop.ai"]
    assert [*zip(urls, ["/files/list", "/v1/devboxes"]), *((url, "closed") for url in urls)] == sent
