"""The key, the password of a proxy and the values of ``env`` are in nothing that programs print or store."""

from __future__ import annotations

import logging
import pickle
import traceback
import warnings
from pathlib import Path
from typing import Any, Callable, Literal, Optional

import pytest

from buntime import Buntime, SessionPool
from buntime.transport import HTTPTransport, LocalTransport
from tests.faults.calls import CALLS, Call, World
from tests.faults.more_calls import MORE_CALLS
from tests.faults.server import FaultServer
from tests.faults.service import CountingService
from tests.support import effort
from tests.support.loopback import Exchange

pytestmark = pytest.mark.one_python

KEY = "btk_canary-0123456789"
PASSWORD = "canary-password"
ENV = {"TOKEN": "canary-of-env"}
CANARIES = (KEY, PASSWORD, ENV["TOKEN"])

_WITH_ENV: tuple[Call, ...] = (
    Call("execute(env=)", lambda w: w.session.execute(w.tag, env=ENV)),
    Call("stream(env=)", lambda w: list(w.session.stream(w.tag, env=ENV))),
    Call("start(env=)", lambda w: w.session.start(w.tag, env=ENV)),
    Call("client.execute(env=)", lambda w: w.client.execute(session_id=w.session_id, code="1", env=ENV)),
)


def _map(world: World) -> object:
    with SessionPool(world.client, size=1) as pool:
        return [outcome.result() for outcome in pool.map(lambda session, item: session.execute(item), ["1"])]


_POOL = Call("pool.map", _map)


def _echo(exchange: Exchange) -> None:
    """Return an error that contains the headers of the request."""
    text = f'{{"error": {{"code": "INTERNAL", "message": "{exchange.request.headers["Authorization"]}"}}}}'
    exchange.reply(500, text.encode(), [("Content-Type", "application/json")])


class _Failing(FaultServer):
    """A service whose requests fail while ``failure`` is set."""

    failure: Optional[Callable[[Exchange], None]] = None

    def __enter__(self) -> _Failing:
        return self

    def _handle(self, exchange: Exchange) -> None:
        if self.failure is None:
            super()._handle(exchange)
        else:
            self.failure(exchange)


def _texts(value: object) -> list[str]:
    """Return every text by which a program could show the value, and the traceback of an error."""
    texts = [str(value), repr(value), repr(getattr(value, "__dict__", None))]
    if isinstance(value, BaseException):
        for frame, _ in traceback.walk_tb(value.__traceback__):
            if "/tests/" not in frame.f_code.co_filename:
                texts += [f"{frame.f_code}: {name} = {local!r}" for name, local in frame.f_locals.items()]
        for cause in (value.__cause__, value.__context__):
            texts += _texts(cause) if cause is not None else []
    return texts


_FAILURES = {"success": None, "error": _echo, "lost": Exchange.drop}
_CASES = [
    pytest.param(failure, call, id=f"{call.name}-{name}")
    for number, (name, failure) in enumerate(_FAILURES.items())
    for call in effort.sample([*CALLS, *MORE_CALLS, *_WITH_ENV, _POOL], number, 3)
]


@pytest.mark.parametrize(("failure", "call"), _CASES)
def test_secrets_are_nowhere(
    call: Call,
    failure: Optional[Callable[[Exchange], None]],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Results, errors with their tracebacks, logs of every logger, warnings and output have no secret."""
    caplog.set_level(logging.DEBUG)
    service, tag = CountingService(), "tag"
    with _Failing(service, lambda _: None) as server, warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        proxies = {"https": f"http://me:{PASSWORD}@127.0.0.1:9"}
        transport = HTTPTransport(server.url, proxies=proxies)
        with Buntime(KEY, transport=transport, max_retries=1, retry_delay=0, timeout=10) as client:
            world = World(tag, service, client, service.create(tag), tmp_path)
            call.prepare(world)
            server.failure = failure
            outcome: Any
            try:
                outcome = call.run(world)
            except Exception as error:  # the error is examined, whatever it is
                outcome = error
            server.failure = None
            # A pickle contains the proxies that the program passed, as documented.
            pickles = pickle.dumps((client, outcome)).decode("latin-1")
            assert KEY not in pickles
            assert ENV["TOKEN"] not in pickles
            texts = [*_texts(outcome), *_texts(client), *_texts(transport), *_texts(world.session)]
    texts += [f"{record.getMessage()} {record.args!r}" for record in caplog.records]
    texts += [str(warning) for warning in warned]
    texts += capfd.readouterr()
    assert failure is None or isinstance(outcome, Exception)
    assert [] == [text for text in texts if any(canary in text for canary in CANARIES)]


@pytest.mark.skipif(
    not Path("/proc/self/cmdline").exists(), reason="/proc has the command lines of processes"
)
@pytest.mark.parametrize("isolation", ["required", "none"])
def test_values_of_env_are_in_no_command_line(isolation: Literal["required", "none"]) -> None:
    """Other users of this machine see the command lines of the processes of a session."""
    with (
        Buntime(transport=LocalTransport(isolation=isolation)) as client,
        client.sessions.create() as session,
        session.stream(command="echo $TOKEN; sleep 20", env=ENV, timeout=20) as stream,
    ):
        process = session.start(command="sleep 20", env=ENV)
        assert ENV["TOKEN"] in next(iter(stream)).text
        lines = [_command_line(path) for path in Path("/proc").glob("[0-9]*/cmdline")]
        process.kill()
    assert any("sleep" in line for line in lines)
    assert [] == [line for line in lines if ENV["TOKEN"] in line]


def _command_line(path: Path) -> str:
    try:
        return path.read_text(errors="replace").replace("\0", " ")
    except OSError:
        return ""  # it has ended
