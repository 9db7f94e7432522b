"""A value that is new in each run could not be replayed, and the message said to record again."""

from __future__ import annotations

import itertools
import json
import re
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Callable

import pytest

from buntime import Buntime, CassetteError, CassetteMismatchError
from buntime.runloop import RunloopSDK
from buntime.testing import cassette
from buntime.transport import FakeTransport, RecordingTransport, ReplayTransport
from tests.support.cases import in_one_test
from tests.support.cassettes import fake, record, replay, run

_numbers = itertools.count(1)


def _uuid() -> str:
    return str(uuid.uuid4())


NEW: dict[str, tuple[str, Callable[[], Any]]] = {
    "uuid": ("a UUID", _uuid),
    "date": ("a date", lambda: f"2026-11-{next(_numbers):02}T10:00:00Z"),
    "seconds": ("a time", lambda: 1795886298 + next(_numbers)),
    "nanoseconds": ("a time", lambda: 1795886298123456789 + next(_numbers)),
    "port": ("a port", lambda: f"http://127.0.0.1:{40000 + next(_numbers)}/x"),
    "object": ("the address of an object", lambda: f"<Row object at 0x7f6ca99ff{next(_numbers):03x}>"),
    "digits": ("a random number", lambda: uuid.uuid4().hex),
    "path": ("a temporary path", lambda: f"/tmp/pytest-{next(_numbers)}/x"),
    "both": ("a UUID or a date", lambda: f"{_uuid()} of 2026-11-{next(_numbers):02}"),
}


def _program(value: Any) -> Callable[[Buntime], str]:
    def program(client: Buntime) -> str:
        with client.sessions.create(metadata={"run": value, "name": "x"}) as session:
            return session.execute(f"console.log({json.dumps(value)})").stdout

    return program


@pytest.mark.parametrize(("kind", "new"), NEW.values(), ids=NEW)
def test_the_mismatch_names_the_case(kind: str, new: Callable[[], Any], tmp_path: Path) -> None:
    """And the three ways out."""
    record(tmp_path / "x.json", _program(new()))
    with pytest.raises(CassetteMismatchError) as caught:
        replay(tmp_path / "x.json", _program(new()))
    assert f"{kind} is new in each run" in str(caught.value)
    assert "Pass it in as an argument, freeze it in the test, or ignore it with ignore=" in str(caught.value)
    assert "record it again" not in str(caught.value)


def test_another_difference_is_not_such_a_case(tmp_path: Path) -> None:
    """A recording helps there."""
    record(tmp_path / "x.json", _program("one"))
    with pytest.raises(CassetteMismatchError) as caught:
        replay(tmp_path / "x.json", _program(_uuid()))
    assert "To record it again" in str(caught.value)


def test_it_is_named_beside_another_difference(tmp_path: Path) -> None:
    """A recording helps with the other one only."""
    record(tmp_path / "x.json", _program(f"{_uuid()}\none"))
    with pytest.raises(CassetteMismatchError) as caught:
        replay(tmp_path / "x.json", _program(f"{_uuid()}\ntwo"))
    assert "a UUID is new in each run" in str(caught.value)
    assert "For the other differences: To record it again" in str(caught.value)


def _print(text: str, client: Buntime) -> None:
    client.sessions.create().execute(text)


def _without_values(request: dict[str, Any]) -> None:
    body = request.get("json", {})
    body.get("metadata", {}).pop("run", None)
    body.pop("code", None)


UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


@pytest.mark.parametrize(
    "ignore",
    [["metadata.run", "code"], re.compile(UUID), [f"re:{UUID}"], _without_values],
    ids=["fields", "pattern", "text", "function"],
)
def test_a_value_can_be_ignored(ignore: Any, tmp_path: Path) -> None:
    """It is recorded, not compared, and a second recording changes nothing."""
    path = tmp_path / "x.json"
    run(RecordingTransport(path, fake(), ignore=ignore), _program(_uuid()))
    before = path.read_bytes()
    replaying = ReplayTransport(path, ignore=ignore)
    assert "done\n" == run(replaying, _program(_uuid()))
    assert [] == replaying.unplayed
    run(RecordingTransport(path, fake(), ignore=ignore), _program(_uuid()))
    assert before == path.read_bytes()
    with pytest.raises(CassetteMismatchError) as caught:
        run(
            ReplayTransport(path, ignore=ignore),
            lambda client: client.sessions.create(metadata={"name": "y"}),
        )
    assert "metadata.name" in str(caught.value)


@pytest.mark.parametrize("ignore", ["metadata.run", f"re:{UUID}"])
def test_a_response_may_repeat_it(ignore: str, tmp_path: Path) -> None:
    """A devbox has its metadata in each response; another change of a response is still one."""
    path = tmp_path / "x.json"

    def program(name: str) -> None:
        with RunloopSDK(transport=RecordingTransport(path, FakeTransport(), ignore=ignore)) as runloop:
            devbox = runloop.devbox.create(metadata={"run": _uuid(), "name": name})
            assert name == devbox.get_info().metadata["name"]
            assert 1 == len(list(runloop.devbox.list()))

    program("one")
    before = path.read_bytes()
    program("one")
    assert before == path.read_bytes()
    program("two")
    assert before != path.read_bytes()


def test_an_equal_text_under_another_name_is_a_change(tmp_path: Path) -> None:
    """Only the field itself may change in a response."""
    path = tmp_path / "x.json"
    for text in ("one", "two"):
        service = FakeTransport()
        service.on_execute(contains="", stdout=text)
        run(RecordingTransport(path, service, ignore="code"), partial(_print, text))
    assert b'"stdout": "two"' in path.read_bytes()


def test_a_parameter_and_an_item_of_a_list_can_be_ignored(tmp_path: Path) -> None:
    """As `cassette show` names them."""
    path = tmp_path / "x.json"

    def program(value: str) -> Callable[[Buntime], Any]:
        def send(client: Buntime) -> Any:
            session = client.sessions.create(
                metadata={"items": [{"id": value, "n": 1}, {"id": value, "n": 2}]}
            )
            session.execute("1", files={"a.b.txt": value, "c": "d"})
            return client.request("GET", f"/sessions/{session.id}", params={"since": value, "x": "1"})

        return send

    ignore = ["metadata.items[*].id", "files[a.b.txt].content", "?since"]
    run(RecordingTransport(path, fake()), program("one"))
    run(ReplayTransport(path, ignore=ignore), program("two"))
    with pytest.raises(CassetteMismatchError):
        run(ReplayTransport(path, ignore=ignore[:2]), program("two"))
    with pytest.raises(CassetteMismatchError):
        run(ReplayTransport(path, ignore=["metadata.items[0].id", *ignore[1:]]), program("two"))


def test_a_mismatch_compares_no_ignored_value(tmp_path: Path) -> None:
    """A request that was played is found, and of another one only the other fields are shown."""
    path = tmp_path / "x.json"

    def creating(*metadata: tuple[str, str]) -> Callable[[Buntime], None]:
        def program(client: Buntime) -> None:
            for run_id, name in metadata:
                client.sessions.create(metadata={"run": run_id, "name": name})

        return program

    record(path, creating(("recorded-run", "recorded-name")))
    played, new = ("sent-run", "recorded-name"), ("sent-run", "sent-name")
    for sent, reason in (([played, played], "played"), ([new], "body")):
        with pytest.raises(CassetteMismatchError) as caught:
            run(ReplayTransport(path, ignore="metadata.run"), creating(*sent))
        assert reason == caught.value.reason
        assert "-run" not in str(caught.value)
        assert ("sent-name" in str(caught.value)) == (reason == "body")


@pytest.mark.parametrize("rule", ["metdata.run", "?run", "re:[0-9]{30}"])
def test_a_rule_that_matches_nothing_is_named(rule: str, tmp_path: Path) -> None:
    """A typing error would be silent otherwise; a rule that matches is not named."""
    path = tmp_path / "x.json"
    record(path, _program("one"))
    with pytest.raises(CassetteMismatchError) as caught:
        run(ReplayTransport(path, ignore=["code", rule]), _program("two"))
    assert f"\n  no request matches ignore={rule!r}" in str(caught.value)


WRONG = {5: TypeError, "": TypeError, "re:(": ValueError, "metadata..run": ValueError, "files[0": ValueError}


@in_one_test(("rule", "error"), WRONG.items())
def test_a_wrong_rule_is_refused(rule: Any, error: type[Exception], tmp_path: Path) -> None:
    """Before anything is recorded."""
    with pytest.raises(error, match="ignore="):
        RecordingTransport(tmp_path / "x.json", fake(), ignore=[rule])
    assert [] == list(tmp_path.iterdir())


def _raises(request: dict[str, Any]) -> None:
    del request["json"]["metadata"]


FUNCTIONS: dict[Callable[[dict[str, Any]], Any], str] = {
    _raises: r"function _raises raised KeyError\('metadata'\) for POST /execute",
    lambda _: 5: r"function <lambda> returned int for POST /sessions/create, not a request",
    lambda request: {"json": request.get("json")}: "function <lambda> returned dict for .*, not a request",
}


@in_one_test(("function", "message"), FUNCTIONS.items())
def test_a_wrong_function_is_named(
    function: Callable[[dict[str, Any]], Any], message: str, tmp_path: Path
) -> None:
    """With the request that it was called with; a recording leaves the cassette as it was."""
    path = tmp_path / "x.json"
    record(path, _program("one"))
    before = path.read_bytes()
    with pytest.raises(CassetteError, match=f"ignore=: the {message}"):
        run(RecordingTransport(path, fake(), ignore=function), _program("one"))
    assert (before, [path]) == (path.read_bytes(), [*tmp_path.iterdir()])
    with pytest.raises(CassetteError, match=f"ignore=: the {message}"):
        run(ReplayTransport(path, ignore=function), _program("two"))


def _lines_of(error: BaseException) -> Iterator[str]:
    yield from str(error).splitlines()


def test_a_mismatch_is_short(tmp_path: Path) -> None:
    """At most 25 lines, however long the requests are."""
    long = "\n".join(f"line {number};" for number in range(500))
    record(tmp_path / "x.json", _program(long))
    for changed in (long.replace("line", "LINE"), long.replace("line 250", "x"), "short"):
        with pytest.raises(CassetteMismatchError) as caught:
            replay(tmp_path / "x.json", _program(changed))
        assert len(list(_lines_of(caught.value))) <= 25


def test_its_traceback_has_no_frame_of_the_package(tmp_path: Path) -> None:
    """With pytest, which hides the frames that ask for it."""
    record(tmp_path / "x.json", _program("one"))
    with cassette(tmp_path / "x.json", allow_unplayed=True) as client:
        with pytest.raises(CassetteMismatchError) as caught:
            client.sessions.create(metadata={"run": "two"}).call("(x) => x")
        visible = caught.traceback.filter(caught)
        assert [Path(__file__)] == [Path(str(entry.path)) for entry in visible]
        with pytest.raises(TypeError) as other:
            client.sessions.create(metadata="x")  # type: ignore[arg-type]  # the frames of other errors stay
    assert len(other.traceback.filter(other)) > 1
