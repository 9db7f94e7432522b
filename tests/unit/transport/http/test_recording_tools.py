"""Each tool that records or mocks requests works over HTTPTransport, with a key and with ``headers=``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Callable, Optional

import pytest
import requests

from buntime import Buntime
from buntime.transport import HTTPTransport
from tests.support.loopback import LoopbackServer, json_reply
from tests.support.responses import RESULT

pytest_plugins = ["pytester"]

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the tools and their dependencies

KEY = "btk_0123456789abcdef"
HEADERS = {"X-Team": "blue"}
Program = Callable[[Optional[requests.Session]], str]


def _program(url: str) -> Program:
    """Return a program that sends a request; it takes the session of a tool that needs its own."""

    def run(session: Optional[requests.Session] = None) -> str:
        if session is None:
            client = Buntime(KEY, base_url=url, headers=HEADERS)
        else:
            client = Buntime(KEY, transport=HTTPTransport(url, session=session), headers=HEADERS)
        with client:
            return client.execute(session_id="ses_1", code="1").stdout

    return run


@contextmanager
def _vcrpy(folder: Path, form: str) -> Iterator[None]:
    vcr: Any = import_module("vcr")
    with vcr.use_cassette(str(folder / f"x.{form}"), serializer=form, record_mode="once"):
        yield


@contextmanager
def _betamax(folder: Path, _: str) -> Iterator[requests.Session]:
    betamax: Any = pytest.importorskip("betamax")
    with requests.Session() as session:
        recorder = betamax.Betamax(session, cassette_library_dir=str(folder))
        with recorder.use_cassette("x", match_requests_on=["method", "uri", "body"]):
            yield session


@contextmanager
def _requests_cache(folder: Path, _: str) -> Iterator[requests.Session]:
    requests_cache: Any = pytest.importorskip("requests_cache")
    with requests_cache.CachedSession(
        str(folder / "x"), backend="filesystem", allowable_methods=["POST"]
    ) as session:
        yield session


Tool = Callable[[Path, str], AbstractContextManager[Optional[requests.Session]]]


@pytest.mark.parametrize(
    ("tool", "form"),
    [(_vcrpy, "yaml"), (_vcrpy, "json"), (_betamax, ""), (_requests_cache, "")],
    ids=["vcrpy YAML", "vcrpy JSON", "betamax", "requests-cache"],
)
def test_tool_that_records(tool: Tool, form: str, tmp_path: Path) -> None:
    """It records a request, which it then answers without the server."""
    with LoopbackServer(json_reply(RESULT)) as server:
        program = _program(server.url)
        with tool(tmp_path, form) as session:
            assert RESULT["stdout"] == program(session)
        received = server.requests[0].headers
        assert f"Bearer {KEY}" == received["Authorization"]
        assert "blue" == received["X-Team"]
    with tool(tmp_path, form) as session:
        assert RESULT["stdout"] == program(session)
    assert 1 == len(server.requests)


RECORDED_TEST = """
import pytest
from buntime import Buntime

@pytest.mark.vcr
def test_execute():
    with Buntime({key!r}, base_url={url!r}, headers={headers!r}) as client:
        assert {stdout!r} == client.execute(session_id="ses_1", code="1").stdout
"""


def test_pytest_recording(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """It records a test, and replays it while the network is blocked."""
    if find_spec("pytest_recording") is None:
        pytest.skip("pytest-recording is not installed")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    plugin = ("-p", "pytest_recording.plugin")
    with LoopbackServer(json_reply(RESULT)) as server:
        pytester.makepyfile(
            RECORDED_TEST.format(key=KEY, url=server.url, headers=HEADERS, stdout=RESULT["stdout"])
        )
        pytester.runpytest_inprocess(*plugin, "--record-mode=once").assert_outcomes(passed=1)
    pytester.runpytest_inprocess(*plugin, "--block-network").assert_outcomes(passed=1)
    assert 1 == len(server.requests)


URL = "http://buntime.invalid"


@contextmanager
def _responses() -> Iterator[Callable[[], Any]]:
    responses: Any = pytest.importorskip("responses")
    with responses.RequestsMock() as mock:
        mock.post(f"{URL}/execute", json=RESULT)
        yield lambda: mock.calls[0].request.headers


@contextmanager
def _requests_mock() -> Iterator[Callable[[], Any]]:
    requests_mock: Any = pytest.importorskip("requests_mock")
    with requests_mock.Mocker() as mock:
        mock.post(f"{URL}/execute", json=RESULT)
        yield lambda: mock.last_request.headers


@contextmanager
def _pook() -> Iterator[Callable[[], Any]]:
    pook: Any = pytest.importorskip("pook")
    with pook.use():
        mock = pook.post(f"{URL}/execute")
        mock.header("X-Team", "blue").header("Authorization", f"Bearer {KEY}").reply(200).json(RESULT)
        yield lambda: {"Authorization": f"Bearer {KEY}", "X-Team": "blue"} if mock.matched else {}


@pytest.mark.parametrize(
    "tool", [_responses, _requests_mock, _pook], ids=["responses", "requests-mock", "pook"]
)
def test_tool_that_mocks(tool: Callable[[], AbstractContextManager[Callable[[], Any]]]) -> None:
    """It answers a request, and sees the key and the headers."""
    with tool() as sent_headers:
        assert RESULT["stdout"] == _program(URL)(None)
        headers = sent_headers()
    assert f"Bearer {KEY}" == headers["Authorization"]
    assert "blue" == headers["X-Team"]
