"""A mismatch did not show which line of a function, process or uploaded file had changed."""

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


def fake_with_responses() -> FakeTransport:
    """Return a fake that responds to everything."""
    transport = FakeTransport()
    transport.on_execute(contains="", stdout="")
    transport.on_call(lambda _: True, returns=1)
    return transport


def call_function(session: Session, text: str, _: Path) -> Any:
    """Send the text as a function."""
    return session.call(text)


def call_long_function(session: Session, text: str, _: Path) -> Any:
    """Send the text as a function that exceeds a single line."""
    return session.call(text + FAR[len(BEFORE) :])


def start_process(session: Session, text: str, _: Path) -> Any:
    """Start the text as a background process."""
    return session.start(text).number


def pass_argument(session: Session, text: str, _: Path) -> Any:
    """Send the text as an argument."""
    return session.call("(text) => 1", text)


def upload(session: Session, text: str, folder: Path) -> Any:
    """Upload the text with other files."""
    fill(folder / "up", {"a.txt": "a", "b.txt": text, "c.bin": b"\xff"})
    session.files.upload(folder / "up", "up")


def execute_with_file(session: Session, text: str, _: Path) -> Any:
    """Send the text as a file of an execution."""
    return session.execute("1", files={"b.txt": text}).stdout


@pytest.mark.parametrize(
    ("send", "file"),
    [
        (call_function, ""),
        (call_long_function, ""),
        (start_process, ""),
        (pass_argument, ""),
        (upload, "files[b.txt]"),
        (execute_with_file, "files[b.txt]"),
    ],
)
def test_the_changed_line_is_named(
    send: Callable[[Session, str, Path], Any], file: str, tmp_path: Path
) -> None:
    """The message shows the recorded line, the sent line, and the file that contains them."""

    def program(text: str) -> Callable[[Any], Any]:
        def run(client: Any) -> Any:
            with client.sessions.create() as session:
                return send(session, text, tmp_path)

        return run

    record(tmp_path / "x.json", program(BEFORE), fake_with_responses())
    with pytest.raises(CassetteMismatchError) as caught:
        replay(tmp_path / "x.json", program(AFTER))
    assert "body" == caught.value.reason
    message = str(caught.value).split("\n\n")[0]
    assert "recorded: // line 25 of a long program\n" in message
    assert message.endswith("sent:     // line XXV of a long program")
    assert file in message


def test_different_bytes(tmp_path: Path) -> None:
    """Binary content is shown in its encoded form."""

    def program(content: bytes) -> Callable[[Any], Any]:
        return lambda client: client.sessions.create().files.write("a.bin", content)

    record(tmp_path / "x.json", program(b"\xff"), fake_with_responses())
    with pytest.raises(CassetteMismatchError, match=r'files\[0\].base64: "/w=="'):
        replay(tmp_path / "x.json", program(b"\xff\xff"))
