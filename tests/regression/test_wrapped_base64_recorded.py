"""A secret was written to a cassette if a program printed its base64 in lines, as ``base64`` does."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Callable

import pytest

from buntime import Buntime
from buntime.cassette.file import load
from buntime.transport import FakeTransport
from tests.support.cassettes import record, replay
from tests.support.wrapping import wrap

PIECE_OF_LOGS = 256 * 1024
TOKEN = "tok-5f0d3a77-c1e9-4b62-9d0a-8e7f6a5b4c3d-2b1a0f9e8d7c6b5a4f3e2d1c0b"
OTHER = "a-made-up-token-of-the-same-length-" + "x" * (len(TOKEN) - 35)


def encoded(before: str, value: str) -> str:
    """Return the value in base64 behind other text."""
    return base64.b64encode(f"{before}{value}\xff".encode()).decode()


def traces(path: Path, before: str, value: str) -> list[str]:
    """Return the parts of a base64 of the secret that are in a cassette."""
    stored = path.read_text(encoding="utf-8")
    needle = encoded(before, value)[4:-4]
    return [needle[at : at + 6] for at in range(len(needle) - 5) if needle[at : at + 6] in stored]


OUTPUTS: dict[str, Callable[[str], str]] = {
    "base64": lambda value: base64.encodebytes(value.encode()).decode(),
    "at width 64": lambda value: wrap(encoded("", value), 64),
    "at width 8": lambda value: wrap(encoded("a", value), 8),
    "CRLF": lambda value: wrap(encoded("ab", value), 76, "\r\n"),
    "base64url": lambda value: wrap(encoded("", value).replace("+", "-").replace("/", "_"), 20),
    "in a header": lambda value: "auth: " + wrap(encoded("", value), 64),
    "in JSON": lambda value: json.dumps({"auth": wrap(encoded("", value), 76, "\r\n")}),
    "in JSON in JSON": lambda value: json.dumps(json.dumps({"auth": wrap(encoded("", value), 76)})),
    "xxd -p": lambda value: wrap(value.encode().hex(), 60),
}


@pytest.mark.parametrize("declares_first", [True, False])
@pytest.mark.parametrize("output", OUTPUTS)
def test_in_the_output_of_a_program(output: str, declares_first: bool, tmp_path: Path) -> None:
    """No part of it is stored, and replay returns each character and line end."""
    path = tmp_path / "x.json"
    text = OUTPUTS[output](TOKEN)
    transport = FakeTransport()
    transport.on_execute("1", stdout=f"a line\n{text}\nb")
    transport.on_execute("2", stdout="")

    def program(client: Buntime) -> str:
        with client.sessions.create() as session:
            codes = ["2", "1"] if declares_first else ["1"]
            env = {"API_TOKEN": TOKEN}
            outputs = [session.execute(code, env=env if code == codes[0] else None).stdout for code in codes]
            return outputs[-1]

    assert f"a line\n{text}\nb" == record(path, program, transport)
    for before in ("", "a", "ab"):
        assert [] == traces(path, before, TOKEN)
    assert TOKEN.encode().hex()[4:12] not in path.read_text(encoding="utf-8")
    assert f"a line\n{text}\nb" == replay(path, program)


def test_learned_afterwards(tmp_path: Path) -> None:
    """The uploaded file was recorded before the secret was known."""
    path = tmp_path / "x.json"
    text = base64.encodebytes(TOKEN.encode()).decode()

    def program(client: Buntime) -> str:
        with client.sessions.create() as session:
            session.files.write("token", f"token:\n{text}")
            session.execute("1", env={"API_TOKEN": TOKEN})
            return session.files.read("token")

    assert f"token:\n{text}" == record(path, program)
    assert [] == traces(path, "", TOKEN)
    assert f"token:\n{text}" == replay(path, program)


@pytest.mark.parametrize("cut", [1, 30, 75, 76, 77, 80])
def test_in_the_pieces_of_a_stream(cut: int, tmp_path: Path) -> None:
    """The pieces may be cut before and behind the line end."""
    path = tmp_path / "x.json"
    text = base64.encodebytes(TOKEN.encode()).decode()
    transport = FakeTransport()
    transport.on_execute("1", chunks=[("stdout", text[:cut]), ("stdout", text[cut:])])

    def program(client: Buntime) -> str:
        session = client.sessions.create()
        with session, session.stream("1", env={"API_TOKEN": TOKEN}) as stream:
            return "".join(event.text for event in stream)

    assert text == record(path, program, transport)
    assert [] == traces(path, "", TOKEN)
    assert text == replay(path, program)


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("before", [5, 40, 64, 65, 66, 85])
def test_in_two_pieces_of_a_log(before: int, line_end: str, tmp_path: Path) -> None:
    """Each piece has the part of a secret that is in it, in one line or in several."""
    path = tmp_path / "x.json"
    text = wrap(encoded("", TOKEN), 64, line_end)
    transport = FakeTransport()
    output = "x" * (PIECE_OF_LOGS - before - 1) + f"\n{text}\nb"
    transport.on_execute("1", stdout=output)

    def program(client: Buntime) -> str:
        with client.sessions.create() as session:
            process = session.start("1", env={"API_TOKEN": TOKEN})
            return "".join(event.text for event in process.follow())

    assert output == record(path, program, transport)
    assert [] == traces(path, "", TOKEN)
    assert output == replay(path, program)


def test_line_ends_stay_where_they_are(tmp_path: Path) -> None:
    """The cassette shows the lines, and another secret of the same length is played in them."""
    path = tmp_path / "x.json"
    transport = FakeTransport()
    transport.on_execute("1", handler=lambda run: wrap(encoded("abc", run.env["API_TOKEN"]), 64))

    def program(token: str) -> Callable[[Buntime], str]:
        def run(client: Buntime) -> str:
            with client.sessions.create() as session:
                return session.execute("1", env={"API_TOKEN": token}).stdout

        return run

    record(path, program(TOKEN), transport)
    stdout = load(path).interactions[1].data["response"]["json"]["stdout"]
    first, second = stdout.split("\n")
    assert "YWJj«env:API_TOKEN|base64+first.60»" == first
    assert second.startswith("«env:API_TOKEN|base64+after.60»")
    assert len(OTHER) == len(TOKEN)
    replayed = replay(path, program(OTHER))
    assert wrap(encoded("abc", OTHER), 64).splitlines()[0] == replayed.splitlines()[0]
