"""The error for an argument of a wrong type does not name the argument."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Callable

import pytest

import buntime
import buntime.transport
from buntime.testing import cassette
from tests.support.cases import in_one_test

_NO_TRANSPORT = "inner must be a transport, such as HTTPTransport(), not "
# Type checkers report these calls, too.
_BUNTIME: Any = buntime
_TRANSPORT: Any = buntime.transport
_FAKE = _TRANSPORT.FakeTransport()


def _pool(call: Callable[[Any], object]) -> object:
    with _BUNTIME.SessionPool(_BUNTIME.Buntime(transport=_FAKE), size=1) as pool:
        return call(pool)


def _sessions() -> Any:
    return _BUNTIME.Buntime(transport=_FAKE).sessions


def _session() -> Any:
    return _sessions().attach("ses_1")


def _open(path: Any) -> object:
    return cassette(path, mode="replay").__enter__()


@in_one_test(
    ("call", "message"),
    [
        (lambda _: _TRANSPORT.LoggingTransport(5), f"{_NO_TRANSPORT}int"),
        (lambda _: _TRANSPORT.MiddlewareTransport("local", print), f"{_NO_TRANSPORT}str"),
        (lambda path: _TRANSPORT.RecordingTransport(path, None), f"{_NO_TRANSPORT}NoneType"),
        (
            lambda path: _TRANSPORT.RecordingTransport(path, _TRANSPORT.FakeTransport),
            f"{_NO_TRANSPORT}the class FakeTransport",
        ),
        (lambda _: _TRANSPORT.RecordingTransport(5, _FAKE), "path must be a str or os.PathLike, not int"),
        (
            lambda path: _TRANSPORT.RecordingTransport(path, _FAKE, allow=5),
            "allow must be several texts, not int",
        ),
        (lambda _: _TRANSPORT.ReplayTransport(5), "path must be a str or os.PathLike, not int"),
        (
            lambda path: _TRANSPORT.ReplayTransport(path, ignore=5),
            "ignore= takes fields, regular expressions and functions, not 5",
        ),
        (lambda _: _open(5), "path must be a str or os.PathLike, not int"),
        (lambda _: _open(""), "path is empty; the current folder is '.'"),
        (lambda _: _pool(lambda pool: pool.map(print, 5)), "items must be iterable, not int"),
        (lambda _: _pool(lambda pool: pool.execute(5)), "requests must be iterable, not int"),
        (lambda _: _pool(lambda pool: pool.call("x => x", 5)), "rows must be iterable, not int"),
        (lambda _: _FAKE.on_execute("1", stdout=5), "stdout must be a str, not int"),
        (lambda _: _FAKE.on_execute("1", files=5), "files must be a mapping of str to str, not int"),
        (lambda _: _FAKE.on_execute("1", files={"a": 5}), "files must map str to str; 'a' does not"),
        (lambda _: _FAKE.on_execute("1", chunks=5), "chunks must be several pieces, not int"),
        (
            lambda _: _FAKE.on_execute("1", chunks=[5]),
            "chunks holds 5, which is not a ('stdout' or 'stderr', text)",
        ),
        (
            lambda _: _FAKE.on_execute("1", results=5),
            "results must be several ScriptedResult values; for one result pass its fields",
        ),
        (lambda _: _TRANSPORT.HTTPTransport(pool_maxsize="4"), "pool_maxsize must be an int, not str"),
        (lambda _: _TRANSPORT.HTTPTransport(pool_maxsize=None), "pool_maxsize must be an int, not NoneType"),
        (
            lambda _: _TRANSPORT.HTTPTransport(verify=5),
            "verify must be a bool or the path of a CA bundle, not int",
        ),
        (lambda _: _TRANSPORT.Response("200"), "status must be an int, not str"),
        (lambda _: _FAKE.advance("5"), "seconds must be a number, not str"),
        (lambda _: _session().files.upload("/", "a", ignore=5), "ignore must be iterable, not int"),
        (lambda _: _sessions().create(snapshot=5), "snapshot must be a str or os.PathLike, not int"),
        (lambda _: _TRANSPORT.ScriptedResult(exit_code="1"), "exit_code must be an int, not str"),
        (lambda _: _TRANSPORT.ScriptedResult(execution_time="1"), "execution_time must be a number, not str"),
        (lambda _: _TRANSPORT.ScriptedResult(timed_out="no"), "timed_out must be a bool, not str"),
        (
            lambda _: _BUNTIME.Buntime(transport="local"),
            "transport must be a transport, such as LocalTransport(), not str",
        ),
        (
            lambda _: _BUNTIME.ExecuteRequest("1", command="ls"),
            "pass exactly one of code and command; both were passed",
        ),
    ],
)
def test_a_wrong_argument(tmp_path: Path, call: Callable[[Path], object], message: str) -> None:
    """The error is one sentence with the name of the argument."""
    with pytest.raises((TypeError, ValueError, buntime.ConfigurationError), match=f"^{re.escape(message)}$"):
        call(tmp_path / "cassette.json")


def test_a_recording_takes_its_arguments_by_name(tmp_path: Path) -> None:
    """``path`` and ``inner`` are the names in the documentation."""
    _TRANSPORT.RecordingTransport(path=tmp_path / "cassette.json", inner=_TRANSPORT.FakeTransport()).discard()


def test_a_wrong_url_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the variable."""
    monkeypatch.setenv("BUNTIME_BASE_URL", "localhost")
    with pytest.raises(
        buntime.ConfigurationError, match=r"^BUNTIME_BASE_URL: base_url is 'localhost', which does not"
    ):
        _BUNTIME.Buntime("key")
