"""Changes of files whose response is lost, and random changes against a local folder."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from buntime import (
    APIConnectionError,
    Buntime,
    ConflictError,
    FileEvent,
    InvalidRequestError,
    InvalidResponseError,
    Session,
    SessionNotFoundError,
)
from buntime.transport import FakeTransport
from tests.support import effort, responses
from tests.support.scripted import ScriptedTransport, Step, always, lost

_NAMES = st.sampled_from(["a", "b", "a/b", "a/c", "b/a/c", "c"])
_STEPS = st.lists(
    st.tuples(st.sampled_from(["write", "append", "mkdir", "copy", "move", "delete"]), _NAMES, _NAMES),
    max_size=12,
)


def _apply_locally(root: Path, step: tuple[str, str, str]) -> None:
    name, source, target = step
    path, other = root / source, root / target
    if name == "move" and source == target:
        path.stat()
        return
    if name in {"copy", "move"} and (other.exists() or f"{target}/".startswith(f"{source}/")):
        raise FileExistsError(other)
    if name in {"copy", "move"}:
        path.stat()
        other.parent.mkdir(parents=True, exist_ok=True)
    if name in {"write", "append"}:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "w" if name == "write" else "a") as file:
            file.write(target)
    elif name == "mkdir":
        path.mkdir(parents=True, exist_ok=True)
    elif name == "copy":
        (shutil.copytree if path.is_dir() else shutil.copy)(path, other)
    elif name == "move":
        path.rename(other)
    elif path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def _apply_in_session(session: Session, step: tuple[str, str, str]) -> None:
    name, source, target = step
    files = session.files
    if name == "delete":
        files.delete(source, recursive=True)
    elif name == "mkdir":
        files.mkdir(source)
    else:
        getattr(files, name)(source, target)


def _is_applied(apply: Any, where: Any, step: tuple[str, str, str]) -> bool:
    try:
        apply(where, step)
    except (OSError, InvalidRequestError):
        return False
    return True


@settings(max_examples=effort.examples(30), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_STEPS)
def test_changes_are_those_of_a_local_folder(steps: list[tuple[str, str, str]]) -> None:
    """The same steps succeed or fail, and the same files result, by the methods of their paths."""
    with tempfile.TemporaryDirectory() as name, Buntime(transport=FakeTransport()) as client:
        root, session = Path(name), client.sessions.create()
        for step in steps:
            locally = _is_applied(_apply_locally, root, step)
            assert locally == _is_applied(_apply_in_session, session, step), step
        expected = {str(path.relative_to(root)): path for path in root.rglob("*")}
        assert sorted(expected) == [file.path for file in session.files.glob("**")]
        for file in session.files.glob("**"):
            path, local = session.files.path(file.path), expected[file.path]
            assert (local.name, local.stem, local.is_dir(), local.exists(), local.parent.is_dir()) == (
                *(path.name, path.stem, path.is_dir(), path.exists(), path.parent.is_dir()),
            )
            if local.is_dir():
                assert {child.name for child in local.iterdir()} == {child.name for child in path.iterdir()}
            else:
                assert local.read_text() == path.read_text()


def _helper(stdout: str) -> Step:
    return always(responses.as_json, responses.result(stdout=stdout))


_STAT = _helper('{"size": 3}')
_CHANGED = _helper('{"error": {"code": "ECHANGED", "message": ""}}')


def _session(*steps: Step, retries: int = 1) -> tuple[Session, ScriptedTransport]:
    transport = ScriptedTransport(*steps)
    return Buntime(transport=transport, max_retries=retries).sessions.attach("ses_1"), transport


def test_append_resumes_after_a_lost_response() -> None:
    """The next attempt compares the bytes instead of writing them again."""
    session, transport = _session(_STAT, lost(), _CHANGED, _helper('{"size": 5}'))
    assert 5 == session.files.append("a", "de").size
    assert ['"resume": false', '"resume": false', '"resume": true'] == [
        next(flag for flag in ('"resume": true', '"resume": false') if flag in transport.body(number)["code"])
        for number in (1, 2, 3)
    ]


def test_append_starts_at_the_new_end_after_another_client() -> None:
    """Bytes of another client are kept."""
    session, transport = _session(_STAT, _CHANGED, _helper('{"size": 7}'), _helper('{"size": 9}'))
    assert 9 == session.files.append("a", "de").size
    assert '"offset": 7' in transport.body(3)["code"]


def test_append_gives_up() -> None:
    """A file that others extend all the time is an error."""
    session, transport = _session(*[_STAT, _CHANGED] * 20)
    with pytest.raises(ConflictError):
        session.files.append("a", "de")
    assert 40 == len(transport.requests)


_EXISTS = _helper('{"error": {"code": "EEXIST", "message": "b exists already"}}')


def _tree(sha256: str) -> Step:
    entry = f'{{"path": "", "size": 1, "modified": 1, "type": "file", "sha256": "{sha256}"}}'
    return _helper(f'{{"root": {entry}, "entries": [], "next": null}}')


@pytest.mark.parametrize("same", [True, False])
def test_copy_after_a_lost_response(same: bool) -> None:
    """A target with the same content is the result of the lost attempt."""
    session, _ = _session(lost(), _EXISTS, _tree("1"), _tree("1" if same else "2"))
    if same:
        session.files.copy("a", "b")
    else:
        with pytest.raises(InvalidRequestError):
            session.files.copy("a", "b")


def test_arguments() -> None:
    """A pattern that could leave the workspace and an impossible mode are errors before anything is sent."""
    session, transport = _session()
    for pattern in ("../*", "/etc/*", "a/../../*"):
        with pytest.raises(ValueError, match="outside the workspace"):
            session.files.glob(pattern)
    with pytest.raises(ValueError, match="0o777"):
        session.files.chmod("a", 0o1777)
    assert [] == transport.requests


def test_by_session_id() -> None:
    """The methods of the client do the same."""
    with Buntime(transport=FakeTransport()) as client:
        session = client.sessions.create()
        client.files.append(session_id=session.id, path="a", content="1")
        client.files.copy(session_id=session.id, source="a", target="b")
        client.files.chmod(session_id=session.id, path="b", mode=0o755)
        assert ["a", "b"] == [file.path for file in client.files.glob(session_id=session.id, pattern="*")]
        assert [("", [], ["a", "b"])] == list(client.files.walk(session_id=session.id))


def _turns(transport: ScriptedTransport) -> list[tuple[int, bool]]:
    lines = [transport.body(number)["code"].partition("\n")[0] for number in range(len(transport.requests))]
    helpers = [json.loads(line.partition("helper ")[2]) for line in lines]
    return [(helper["turn"], helper["end"]) for helper in helpers]


_EVENT = '{"events": [["changed", "a", "file"]]}'


def test_a_turn_of_a_watch_is_repeated_after_a_lost_response() -> None:
    """By a retry, and by the next step of the loop after the retries; then the next turn begins."""
    steps = [
        '{"watch": 7}',
        None,
        None,
        _EVENT,
        '{"events": []}',
        _EVENT,
        '{"ended": true}',
        '{"ended": true}',
    ]
    session, transport = _session(*(lost() if step is None else _helper(step) for step in steps))
    with session.files.watch() as watch:
        with pytest.raises(APIConnectionError):
            next(watch)
        assert [FileEvent("changed", "a"), FileEvent("changed", "a")] == [next(watch), next(watch)]
        with pytest.raises(ConflictError, match="watch 7 was deleted"):
            next(watch)
    assert [(0, False), *[(1, False)] * 3, (2, False), (3, False), (4, False), (0, True)] == _turns(transport)
    assert watch is iter(watch)
    assert [] == list(watch)


@pytest.mark.parametrize("events", ['{"events": [["changed"]]}', '{"events": 1}', "{}"])
def test_a_watch_with_an_invalid_reply(events: str) -> None:
    """Untrusted code could print it."""
    session, _ = _session(_helper('{"watch": 7}'), _helper(events))
    with pytest.raises(InvalidResponseError):
        next(session.files.watch())


def test_a_watch_ends_with_its_session() -> None:
    """The end of the block raises nothing then."""
    with Buntime(transport=FakeTransport()) as client:
        session = client.sessions.create()
        with client.files.watch(session_id=session.id) as watch:
            session.delete()
            with pytest.raises(SessionNotFoundError):
                next(watch)
