"""A secret was written to a cassette if a program had encoded it in JSON, a URL, base64 or a file."""

from __future__ import annotations

import base64
import json
import re
import tempfile
from pathlib import Path
from typing import Any, Callable
from urllib.parse import quote, quote_plus

import pytest

from buntime import Buntime, Session
from buntime.cassette.file import load
from buntime.helpers import content as file_content
from buntime.transport import FakeTransport, ScriptedExecution
from tests.support.cassettes import KEY, record, replay

ODD = 'pa"ss/w\\ö+d ~*'
PLAIN = "hunt3r2x"
ENV = {"DB_PASSWORD": ODD, "PGPASSWORD": PLAIN}


def in_json(value: str) -> str:
    """Return the value as JavaScript serializes it, without escaping non-ASCII letters."""
    return json.dumps(value, ensure_ascii=False)


def in_base64(value: str) -> str:
    """Return the value in base64 at each of the three offsets that change its encoding."""
    texts = [f"{'x' * before}{value}{'y' * before}" for before in range(3)]
    return " ".join(
        encode(text.encode()).decode()
        for text in texts
        for encode in (base64.b64encode, base64.urlsafe_b64encode)
    )


ENCODINGS: dict[str, Callable[[str], str]] = {
    "json": in_json,
    "ascii json": json.dumps,
    "json in json": lambda value: in_json(in_json(value)),
    "ascii json in json": lambda value: in_json(json.dumps(value)),
    "json in ascii json": lambda value: json.dumps(in_json(value)),
    "three times": lambda value: json.dumps(json.dumps(json.dumps(value))),
    "url": lambda value: quote(value, safe=""),
    "path": quote,
    "form": quote_plus,
    "encodeURIComponent": lambda value: quote(value, safe="!'()*"),
    "encodeURI": lambda value: quote(value, safe=";,/?:@&=+$!'()*#"),
    "URLSearchParams": lambda value: quote(value, safe="* ").replace("~", "%7E").replace(" ", "+"),
    "hex": lambda value: value.encode().hex(),
    "hex in capitals": lambda value: value.encode().hex().upper(),
    "url in small letters": lambda value: re.sub(
        "%..", lambda match: match[0].lower(), quote(value, safe="")
    ),
    "json for html": lambda value: in_json(value).replace("/", "\\/"),
    "base64": in_base64,
    "basic": lambda value: "Basic " + base64.b64encode(f"me:{value}".encode()).decode(),
    "base64 of json": lambda value: base64.b64encode(in_json(value).encode()).decode(),
}


def texts_of(value: Any) -> list[str]:
    """Return every string in a JSON value."""
    if isinstance(value, dict):
        return [*value, *(text for item in value.values() for text in texts_of(item))]
    if isinstance(value, list):
        return [text for item in value for text in texts_of(item)]
    return [value] if isinstance(value, str) else []


def traces(path: Path, secret: str) -> list[str]:
    """Return the strings of a cassette that contain a secret in any encoding."""
    forms = {secret, *(encode(secret).strip('"') for encode in ENCODINGS.values())}
    middles = {
        base64.b64encode(b"x" * before + encode(secret).strip('"').encode())[4:-4].decode()
        for before in range(3)
        for encode in (str, in_json, json.dumps)
    }
    middles |= {middle.replace("+", "-").replace("/", "_") for middle in middles}
    texts = [text for item in load(path).interactions for text in texts_of(item.data)]
    return [text for text in texts if any(form in text for form in forms | middles)]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_in_the_output_of_a_program(encoding: str, tmp_path: Path) -> None:
    """The secret is replaced, and replay restores the original, or another secret if the program uses one."""
    path = tmp_path / "x.json"
    encode = ENCODINGS[encoding]
    transport = FakeTransport()

    def handler(run: ScriptedExecution) -> str:
        return f"a {encode(run.env['DB_PASSWORD'])} b {encode(run.env['PGPASSWORD'])} c {encode(KEY)}"

    transport.on_execute("1", handler=handler)

    def program(env: dict[str, str]) -> Callable[[Buntime], str]:
        def run(client: Buntime) -> str:
            with client.sessions.create() as session:
                return session.execute("1", env=env).stdout

        return run

    live = record(path, program(ENV), transport)
    assert [] == [text for secret in (*ENV.values(), KEY) for text in traces(path, secret)]
    assert live == replay(path, program(ENV))
    if encoding not in {"base64", "basic", "base64 of json"}:  # these encodings reveal the length
        other = {"DB_PASSWORD": 'an"other ö', "PGPASSWORD": "third"}
        expected = "a {} b {} c {}".format(*(encode(secret) for secret in (*other.values(), KEY)))
        assert expected == replay(path, program(other))


def write_bytes(session: Session, _: Path) -> Any:
    """Write and read a binary file."""
    session.files.write("a.bin", b"\xff" + ODD.encode() + b"\xfe" + PLAIN.encode())
    return session.files.read_bytes("a.bin")


def upload(session: Session, folder: Path) -> Any:
    """Upload and download small files in a batch."""
    (folder / "up").mkdir(exist_ok=True)
    (folder / "up" / ".env").write_text(f"DB_PASSWORD={ODD}\nPGPASSWORD={PLAIN}\n", encoding="utf-8")
    (folder / "up" / "x").write_text(f"xy{PLAIN}", encoding="utf-8")
    session.files.upload(folder / "up", "up")
    with tempfile.TemporaryDirectory(dir=folder) as down:
        session.files.download("up", down)
        return (Path(down) / ".env").read_bytes()


def pass_arguments(session: Session, _: Path) -> Any:
    """Pass the secret to a function and return it."""
    return session.call("echo", ODD, {"a": [PLAIN]}, ODD.encode())


def pass_long_arguments(session: Session, _: Path) -> Any:
    """Pass arguments that exceed a single line to a function and return them."""
    return session.call("echo", ODD, PLAIN + "z" * 40_000)


SENDERS = [write_bytes, upload, pass_arguments, pass_long_arguments]


@pytest.mark.parametrize("env_sent", ["before", "after"])
@pytest.mark.parametrize("send", SENDERS, ids=lambda send: send.__name__)
def test_in_the_requests_of_the_library(
    send: Callable[[Session, Path], Any], env_sent: str, tmp_path: Path
) -> None:
    """Files and arguments are redacted too, even if the secret is only learned from a later call."""
    path = tmp_path / "x.json"
    transport = FakeTransport()
    transport.on_execute("1", stdout="done")
    transport.on_call("echo", handler=lambda *values: values)

    def program(client: Buntime) -> Any:
        with client.sessions.create() as session:
            if env_sent == "before":
                session.execute("1", env=ENV)
            result = send(session, tmp_path)
            if env_sent == "after":
                session.execute("1", env=ENV)
            return result

    live = record(path, program, transport)
    assert [] == [text for secret in ENV.values() for text in traces(path, secret)]
    assert live == replay(path, program)


@pytest.mark.parametrize(("recorded", "sent"), [(ODD, "plain"), ("plain", ODD), (ODD, 'other "odd" one')])
def test_another_secret_in_the_code(recorded: str, sent: str, tmp_path: Path) -> None:
    """Replay works whether or not the secret needs escaping, and returns the current secret."""
    path = tmp_path / "x.json"
    transport = FakeTransport()
    transport.on_execute(contains="login(", handler=lambda run: f"as {run.env['DB_PASSWORD']}")

    def program(secret: str) -> Callable[[Buntime], str]:
        code = f"login({json.dumps(secret)})"
        return lambda client: client.sessions.create().execute(code, env={"DB_PASSWORD": secret}).stdout

    assert f"as {recorded}" == record(path, program(recorded), transport)
    assert f"as {sent}" == replay(path, program(sent))


def test_in_arguments_named_like_secrets(tmp_path: Path) -> None:
    """The names of a function's arguments identify secrets, as in metadata."""
    path = tmp_path / "x.json"
    transport = FakeTransport()
    transport.on_call("login", handler=lambda options: options["apiToken"] + "!")

    def program(token: str) -> Callable[[Buntime], str]:
        def run(client: Buntime) -> str:
            with client.sessions.create() as session:
                return str(session.call("login", {"apiToken": token, "max_tokens": 100}))

        return run

    assert f"{PLAIN}!" == record(path, program(PLAIN), transport)
    assert [] == traces(path, PLAIN)
    assert "max_tokens" in path.read_text(encoding="utf-8")
    assert "another!" == replay(path, program("another"))


def test_the_password_of_a_database(tmp_path: Path) -> None:
    """A password inside a database URL is also redacted separately, because programs parse such URLs."""
    path = tmp_path / "x.json"
    transport = FakeTransport()
    transport.on_execute("1", stdout=f"connecting as me with {PLAIN}%")

    def program(client: Buntime) -> str:
        with client.sessions.create() as session:
            return session.execute("1", env={"DATABASE_URL": f"postgres://me:{PLAIN}%25@db/x"}).stdout

    live = record(path, program, transport)
    assert [] == traces(path, PLAIN)
    assert live == replay(path, program)


PIECE_OF_LOGS = 256 * 1024
PIECE = 33 * 1024
"""The size of a piece of a file in these tests: a multiple of three, like the real one."""


@pytest.mark.parametrize("before", range(1, len(ODD), 3))
def test_in_two_pieces_of_a_log(before: int, tmp_path: Path) -> None:
    """A secret is recognized by its parts if a process log is read in chunks."""
    path = tmp_path / "x.json"
    transport = FakeTransport()
    transport.on_execute("1", stdout="x" * (PIECE_OF_LOGS - before) + ODD + "y")

    def program(client: Buntime) -> str:
        with client.sessions.create() as session:
            process = session.start("1", env={"DB_PASSWORD": ODD})
            return "".join(event.text for event in process.follow())

    live = record(path, program, transport)
    assert live.endswith(f"x{ODD}y")
    text = path.read_text(encoding="utf-8")
    first, other = (json.dumps(part, ensure_ascii=False)[1:-1] for part in (ODD[:before], ODD[before:]))
    assert len(first) < 5 or f"x{first}" not in text
    assert len(other) < 5 or f"{other}y" not in text
    assert live == replay(path, program)


@pytest.mark.parametrize("before", [1, 5, 6, 10])
def test_in_two_pieces_of_a_file(before: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret is recognized in a large file, which is sent as base64 chunks."""
    assert file_content.PIECE % 3 == 0
    monkeypatch.setattr(file_content, "PIECE", PIECE)
    path = tmp_path / "x.json"
    content = b"\xff" * (PIECE - len(ODD[:before].encode())) + ODD.encode() + b"\xff"

    def program(client: Buntime) -> bytes:
        with client.sessions.create() as session:
            session.execute("1", env={"DB_PASSWORD": ODD})
            session.files.write("large", content)
            return session.files.read_bytes("large")

    assert content == record(path, program)
    text = path.read_text(encoding="utf-8")
    both = base64.b64encode(content).decode()
    cut = PIECE // 3 * 4
    if before >= 5:
        assert both[cut - 6 : cut] not in text
    if len(ODD) - before >= 5:
        assert f'"{both[cut : cut + 6]}' not in text.replace("\\", "")
    assert content == replay(path, program)


def test_the_beginning_of_a_secret_in_an_abandoned_stream(tmp_path: Path) -> None:
    """No part of a secret is stored if a program stops reading in the middle of it."""
    path = tmp_path / "x.json"
    transport = FakeTransport()
    transport.on_execute("1", chunks=[("stdout", f"the key: {KEY[:9]}"), ("stdout", KEY[9:])])

    def program(client: Buntime) -> str:
        with client.sessions.create() as session, session.stream("1") as stream:
            return next(stream).text

    assert f"the key: {KEY[:9]}" == record(path, program, transport)
    assert KEY[:5] not in path.read_text(encoding="utf-8")
    assert f"the key: {KEY[:9]}" == replay(path, program)
