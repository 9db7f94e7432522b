"""A changed line of a function, a process or an uploaded file was not to be seen in what a mismatch said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from buntime import CassetteMismatchError, Session
from buntime.transport import FakeTransport
from tests.support.cassettes import record, replay
from tests.support.folders import fill

LINES = [*(f"// line {number} of a long program" for number in range(30)), "() => 1"]
BEFORE = "\n".join(LINES)
AFTER = BEFORE.replace("line 25", "line XXV")
FAR = BEFORE + "\n//" + "x" * 40_000


def answering() -> FakeTransport:
    """Return a fake with an answer to everything."""
    transport = FakeTransport()
    transport.on_execute(contains="", stdout="")
    transport.on_call(lambda _: True, returns=1)
    return transport


def called(session: Session, text: str, _: Path) -> Any:
    """Send it as a function."""
    return session.call(text)


def called_by_file(session: Session, text: str, _: Path) -> Any:
    """Send it as a function that is too long for a line."""
    return session.call(text + FAR[len(BEFORE) :])


def started(session: Session, text: str, _: Path) -> Any:
    """Leave it running."""
    return session.start(text).number


def passed(session: Session, text: str, _: Path) -> Any:
    """Pass it as an argument."""
    return session.call("(text) => 1", text)


def uploaded(session: Session, text: str, folder: Path) -> Any:
    """Upload it with other files."""
    fill(folder / "up", {"a.txt": "a", "b.txt": text, "c.bin": b"\xff"})
    session.files.upload(folder / "up", "up")


def sent_along(session: Session, text: str, _: Path) -> Any:
    """Write it with an execution."""
    return session.execute("1", files={"b.txt": text}).stdout


@pytest.mark.parametrize(
    ("way", "file"),
    [
        (called, ""),
        (called_by_file, ""),
        (started, ""),
        (passed, ""),
        (uploaded, "content[b.txt]"),
        (sent_along, "files[b.txt]"),
    ],
)
def test_the_changed_line_is_named(
    way: Callable[[Session, str, Path], Any], file: str, tmp_path: Path
) -> None:
    """As recorded and as sent, with the file that it is in."""

    def program(text: str) -> Callable[[Any], Any]:
        def run(client: Any) -> Any:
            with client.sessions.create() as session:
                return way(session, text, tmp_path)

        return run

    record(tmp_path / "x.json", program(BEFORE), answering())
    with pytest.raises(CassetteMismatchError) as caught:
        replay(tmp_path / "x.json", program(AFTER))
    assert "body" == caught.value.reason
    said = str(caught.value).split("\n\n")[0]
    assert "recorded: // line 25 of a long program\n" in said
    assert said.endswith("sent:     // line XXV of a long program")
    assert file in said


def test_bytes_that_differ(tmp_path: Path) -> None:
    """They are shown as they travel."""

    def program(content: bytes) -> Callable[[Any], Any]:
        return lambda client: client.sessions.create().files.write("a.bin", content)

    record(tmp_path / "x.json", program(b"\xff"), answering())
    with pytest.raises(CassetteMismatchError, match=r'content\[0\].base64: "/w=="'):
        replay(tmp_path / "x.json", program(b"\xff\xff"))


def test_what_is_equal_when_opened_up(tmp_path: Path) -> None:
    """A difference of form alone is shown as it is."""
    function = "() => 1"
    record(tmp_path / "x.json", lambda client: client.sessions.create().call(function), answering())
    path = tmp_path / "x.json"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('{\\"op\\": \\"call\\"', '{\\"op\\":  \\"call\\"'), encoding="utf-8")
    with pytest.raises(CassetteMismatchError) as caught:
        replay(path, lambda client: client.sessions.create().call(function))
    assert "the body differs" in str(caught.value)
    assert "+code: " in str(caught.value)
