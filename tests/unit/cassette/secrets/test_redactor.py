"""Secrets never reach a cassette, and replay restores them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buntime import Buntime, CassetteError
from buntime._support.base64_text import base64_in
from buntime.cassette.file import load
from buntime.cassette.secrets.detect import _KEYS, keys_in, looks_secret, may_have_key
from buntime.transport import FakeTransport, FunctionTransport, Request, Response
from tests.support.cases import in_one_test
from tests.support.cassettes import KEY, fake, record, replay

COOKIE = "c00kie-of-the-proxy"
SERVICE_COOKIE = "c00kie-of-the-service"
PASSWORD = "hunter2"
LONG = "twelve-chars-or-more"
TOKEN = "t0k3n-of-a-user"
SECRETS = (KEY, COOKIE, SERVICE_COOKIE, PASSWORD, LONG, TOKEN)

RESULT = {"stdout": "", "stderr": "", "exitCode": 0}


def echo(request: Request) -> Response:
    """Respond with all values of the request, in the output of an execution and the headers."""
    values = [
        request.path,
        *map(":".join, request.query),
        request.content.decode(),
        KEY,
        SERVICE_COOKIE,
    ]
    headers = {
        "Content-Type": "application/json",
        "Set-Cookie": f"session={SERVICE_COOKIE}; HttpOnly",
        "X-Echo": KEY,
        "X-Request-Id": f"req-{KEY}",
    }
    return Response(
        200, headers, [json.dumps({**RESULT, "stdout": " ".join(values), KEY: {KEY: 1}}).encode()]
    )


def echoing(*sends: Callable[[Buntime], Any]) -> Callable[[Buntime], list[Any]]:
    """Return a program that sends these requests."""
    return lambda client: [send(client) for send in sends]


OCCURRENCES: dict[str, Callable[[Buntime], Any]] = {
    "authorization header": lambda c: c.request("GET", "/a").json()["stdout"],
    "response body": lambda c: c.request("GET", "/response").json()["stdout"],
    "path": lambda c: c.request("GET", f"/b/{KEY}").json()["stdout"],
    "query": lambda c: c.request("GET", "/c", params={"k": KEY, "x" + KEY: "1"}).json()["stdout"],
    "body": lambda c: c.execute(session_id="ses_9", code=f"f('{KEY}')").stdout,
    "text body": lambda c: c.request("POST", "/d", json=f"a {KEY} b").json()["stdout"],
    "cookie": lambda c: c.execute(session_id="ses_9", code=f"f('{COOKIE}')").stdout,
    "named variable": lambda c: c.execute(session_id="ses_9", code="1", env={"DB_PASSWORD": PASSWORD}).stdout,
    "long variable": lambda c: c.execute(session_id="ses_9", code="2", env={"GREETING": LONG}).stdout,
    "metadata": lambda c: c.request(
        "POST", "/e", json={"metadata": {"token": TOKEN, "pin_token": 12345}}
    ).json(),
    "query named token": lambda c: c.request("GET", "/f", params={"token": TOKEN}).json(),
    "later": lambda c: c.execute(session_id="ses_9", code=" ".join(SECRETS)).stdout,
}


@pytest.mark.parametrize("occurrence", OCCURRENCES)
def test_no_secret_is_written(occurrence: str, tmp_path: Path) -> None:
    """Neither to the cassette nor to the files beside it meanwhile; replay returns the live responses."""
    path = tmp_path / "x.json"
    sends = [OCCURRENCES[occurrence]] if occurrence != "later" else list(OCCURRENCES.values())
    parts: list[bytes] = []

    def program(client: Buntime) -> list[Any]:
        results = echoing(*sends)(client)
        if (tmp_path / "x.json.part").exists():
            parts.append((tmp_path / "x.json.part").read_bytes())
        return results

    headers = {"Cookie": f"sid={COOKIE}"}
    live = record(path, program, FunctionTransport(echo), headers=headers)
    for secret in SECRETS:
        assert secret.encode() not in path.read_bytes()
        assert secret.encode() not in parts[0]
        assert base64.b64encode(secret.encode()) not in path.read_bytes()
    replayed = replay(path, program, headers=headers)
    # Replay cannot restore the service's own secret, because the program does not send it.
    assert json.dumps(live) == json.dumps(replayed, ensure_ascii=False).replace(
        "«cookie:session»", SERVICE_COOKIE
    )


def test_a_key_in_pieces_of_a_stream_is_replaced(tmp_path: Path) -> None:
    """However it is split; the caller of the recording received it unchanged."""
    path = tmp_path / "x.json"
    transport = FakeTransport()
    pieces = ["a ", KEY[:5], KEY[5:6], KEY[6:] + " b ", KEY[:3], KEY[3:] + KEY, " c"]
    transport.on_execute("1", chunks=[("stdout", piece) for piece in pieces])

    parts: list[str] = []

    def program(client: Buntime) -> list[str]:
        with client.sessions.create() as session:
            with session.stream("1") as stream:
                texts = [event.text for event in stream]
            if (tmp_path / "x.json.part").exists():
                parts.append((tmp_path / "x.json.part").read_text())
            return texts

    assert pieces == record(path, program, transport)
    for text in (*parts, path.read_text(encoding="utf-8")):
        assert "/execute" in text
        assert KEY[6:] not in text
        assert KEY[:5] not in text
    assert "".join(pieces) == "".join(replay(path, program))


def test_a_harmless_variable_changes_nothing(tmp_path: Path) -> None:
    """A short value under a plain name is not redacted from other texts."""
    path = tmp_path / "x.json"

    def program(client: Buntime) -> str:
        with client.sessions.create() as session:
            return session.execute("1", env={"WORKERS": "5"}).stdout

    record(path, program, fake(stdout="15 tests in 5 files\n"))
    assert "15 tests in 5 files" in path.read_text(encoding="utf-8")
    assert '"WORKERS": "5"' in path.read_text(encoding="utf-8")
    assert "15 tests in 5 files\n" == replay(path, program)


def test_a_late_secret_is_replaced_in_earlier_interactions(tmp_path: Path) -> None:
    """The journal is rewritten when a value turns out to be secret, and replay matches it."""
    path = tmp_path / "x.json"
    content = f"DB_PASSWORD={PASSWORD}\n"

    def program(client: Buntime) -> str:
        with client.sessions.create() as session:
            session.files.write(".env", content)
            session.execute("1", env={"DB_PASSWORD": PASSWORD})
            if path.with_name("x.json.part").exists():
                assert PASSWORD not in path.with_name("x.json.part").read_text(encoding="utf-8")
            return session.files.read(".env")

    assert content == record(path, program)
    assert PASSWORD not in path.read_text(encoding="utf-8")
    assert content == replay(path, program)


def test_another_secret_replays_too(tmp_path: Path) -> None:
    """Replay uses the secrets of the running program, not of the recorded one."""
    path = tmp_path / "x.json"

    def program(password: str) -> Callable[[Buntime], str]:
        def run(client: Buntime) -> str:
            with client.sessions.create() as session:
                return session.execute("1", env={"DB_PASSWORD": password}).stdout

        return run

    transport = FakeTransport()
    transport.on_execute("1", handler=lambda run: f"password: {run.env['DB_PASSWORD']}")
    assert "password: hunter2" == record(path, program(PASSWORD), transport)
    assert "password: another one" == replay(path, program("another one"), key=None)


def test_each_session_gets_its_own_secret_back(tmp_path: Path) -> None:
    """Two values of the same name in two sessions are not confused."""
    path = tmp_path / "x.json"

    def program(client: Buntime) -> list[Any]:
        sessions = [
            client.sessions.create(metadata={"token": token}) for token in ("first one", "second one")
        ]
        return [dict(session.info().metadata) for session in sessions]

    live = record(path, program)
    assert [{"token": "first one"}, {"token": "second one"}] == live == replay(path, program)


def test_several_values_of_a_name_are_restored(tmp_path: Path) -> None:
    """This includes values in lists and below a secret name, and numbers."""
    metadata = {"tokens": ["one-value", "other-value", "one-value"], "auth": {"user": "me!!", "pin": 12345}}
    path = tmp_path / "x.json"

    def program(client: Buntime) -> Any:
        with client.sessions.create(metadata=metadata) as session:
            return session.info().metadata

    assert metadata == record(path, program) == replay(path, program)
    text = path.read_text(encoding="utf-8")
    for secret in ("one-value", "other-value", "me!!", "12345"):
        assert secret not in text


FOREIGN = {
    "an AWS access key": "AKIA" + "ABCDEFGHIJKLMNOP",
    "a GitHub token": "ghp_" + "a1" * 18,
    "a private key (PEM)": "-----BEGIN RSA " + "PRIVATE KEY-----",
    "a Buntime key": "btk_" + "a1" * 12,
    "a Stripe key": "sk_live_" + "a1" * 12,
    "a JSON web token": "eyJhbGciOiJI." + "eyJzdWIiOiIx." + "c2lnbmF0dXJl",
    "an OpenAI or Anthropic key": "sk-" + "a1" * 12,
}


@pytest.mark.parametrize("what", FOREIGN)
def test_a_foreign_key_is_blocked(what: str, tmp_path: Path) -> None:
    """The request succeeds, the cassette stays unchanged, and the error has the position but not the key."""
    path = tmp_path / "x.json"
    path.write_text("as it was")
    secret = FOREIGN[what]
    outputs: list[str] = []

    def program(client: Buntime) -> None:
        with client.sessions.create() as session:
            outputs.append(session.execute("1").stdout)
        assert secret not in path.with_name("x.json.part").read_text(encoding="utf-8")

    with pytest.raises(CassetteError) as caught:
        record(path, program, fake(stdout=f"x {secret} y"))
    assert [f"x {secret} y"] == outputs
    assert f"interaction 2, POST /execute '1', holds {what} (response stdout)" in str(caught.value)
    assert secret not in str(caught.value)
    assert "as it was" == path.read_text()
    assert [path] == list(tmp_path.iterdir())


def test_a_false_alarm_can_be_allowed(tmp_path: Path) -> None:
    """Its text, or the beginning of it, is allowed."""
    path = tmp_path / "x.json"

    def program(client: Buntime) -> str:
        with client.sessions.create() as session:
            return session.execute("1").stdout

    secret = FOREIGN["an AWS access key"]
    record(path, program, fake(stdout=secret), allow=[secret[:10]])
    assert secret == replay(path, program)


def test_a_foreign_key_in_pieces_is_detected(tmp_path: Path) -> None:
    """It is detected in a stream and in binary data."""
    transport = FakeTransport()
    secret = FOREIGN["a GitHub token"]
    transport.on_execute("1", chunks=[("stdout", secret[:9]), ("stdout", secret[9:])])

    def program(client: Buntime) -> None:
        with client.sessions.create() as session, session.stream("1") as stream:
            list(stream)

    with pytest.raises(CassetteError, match="response stream stdout"):
        record(tmp_path / "x.json", program, transport)

    def binary(request: Request) -> Response:
        return Response(200, {"Content-Type": "application/octet-stream"}, [b"\xff\x00" + secret.encode()])

    with pytest.raises(CassetteError, match="response body"):
        record(tmp_path / "x.json", lambda client: client.request("GET", "/x"), FunctionTransport(binary))


def test_a_key_among_bytes_is_replaced(tmp_path: Path) -> None:
    """A binary body is replayed with the key in it."""
    body = b"\xff\xfe" + KEY.encode() + b"\x00\xab"

    def binary(request: Request) -> Response:
        return Response(200, {"Content-Type": "application/octet-stream"}, [body])

    path = tmp_path / "x.json"

    def program(client: Buntime) -> bytes:
        return bytes(client.request("GET", "/x").content)

    assert body == record(path, program, FunctionTransport(binary)) == replay(path, program)
    stored = json.loads(path.read_text(encoding="utf-8"))["interactions"][0]["response"]["base64"]
    assert KEY.encode() not in base64.b64decode(stored)


def test_a_foreign_key_in_base64_is_detected(tmp_path: Path) -> None:
    """In uploaded and downloaded files, and in the output of a program."""
    secret = FOREIGN["a GitHub token"]

    def program(client: Buntime) -> None:
        with client.sessions.create() as session:
            session.files.write("a.bin", b"\xff" + secret.encode())
            session.files.read_bytes("a.bin")

    with pytest.raises(CassetteError) as caught:
        record(tmp_path / "x.json", program)
    assert "a GitHub token (request helper files base64, in base64)" in str(caught.value)
    assert "a GitHub token (response reply base64, in base64)" in str(caught.value)
    printed = base64.urlsafe_b64encode(f"??? {secret}".encode()).decode()
    with pytest.raises(CassetteError, match="response stdout, in base64"):
        record(tmp_path / "x.json", lambda c: c.execute(session_id="ses_9", code="1"), echo_of(printed))


def echo_of(text: str) -> FunctionTransport:
    """Return a transport on which every execution prints a text."""
    body = json.dumps({**RESULT, "stdout": text}).encode()
    return FunctionTransport(lambda _: Response(200, {"Content-Type": "application/json"}, [body]))


def test_no_host_is_stored(tmp_path: Path) -> None:
    """The address of a failed connection is in the live error, not in the file."""
    from buntime import APIConnectionError
    from buntime.transport import HTTPTransport

    path = tmp_path / "x.json"

    def program(client: Buntime) -> str:
        with pytest.raises(APIConnectionError) as caught:
            client.request("GET", "/x")
        return caught.value.message

    live = record(path, program, HTTPTransport("http://nowhere.invalid:81/base", proxies={}), max_retries=0)
    assert "nowhere.invalid:81" in live
    text = path.read_text(encoding="utf-8")
    assert "invalid" not in text
    assert "81" not in text
    assert "could not connect to the service" in replay(path, program, max_retries=0)


@in_one_test(
    "name",
    [
        "PASSWORD",
        "DB_PASSWORD",
        "password",
        "dbPassword",
        "apiKey",
        "API_KEY",
        "OPENAI_KEY",
        "secret",
        "clientSecret",
        "access_token",
        "TOKEN",
        "GITHUB_PAT",
        "credentials",
        "PRIVATE_KEY",
        "Authorization",
        "jwt",
        "OTP",
        "DB_PWD",
        "cookie",
        "x-api-key",
        "PGPASSWORD",
        "accesstoken",
        "SECRETKEY",
        "clientsecret",
    ],
)
def test_secret_names(name: str) -> None:
    """In any spelling."""
    assert looks_secret(name)


@in_one_test(
    "name",
    [
        "WORKERS",
        "PATH",
        "PWD",
        "key",
        "keyboard",
        "sortKey",
        "primary_key",
        "public_key",
        "monkey",
        "passenger",
        "author",
        "NODE_ENV",
        "sessionId",
        "path",
        "stdout",
        "compass",
        "idempotency_key",
        "tokenizer",
        "secretary",
        "hockey",
    ],
)
def test_names_that_are_not_secret(name: str) -> None:
    """A word that only contains such a name is another word."""
    assert not looks_secret(name)


def test_a_stream_is_delivered_while_it_is_recorded(tmp_path: Path) -> None:
    """Each piece reaches the caller before the next one is sent."""
    order: list[str] = []

    def pieces() -> Iterator[bytes]:
        for number in (1, 2):
            order.append(f"sent {number}")
            yield b'event: stdout\ndata: {"text": "x"}\n\n'
        yield b'event: result\ndata: {"exitCode": 0}\n\n'

    def program(client: Buntime) -> None:
        with client.stream(session_id="ses_9", code="1") as stream:
            order.extend("received" for _ in stream)

    transport = FunctionTransport(lambda _: Response(200, {"Content-Type": "text/event-stream"}, pieces()))
    record(tmp_path / "x.json", program, transport)
    assert ["sent 1", "received", "sent 2", "received"] == order


def test_many_secrets_are_replaced(tmp_path: Path) -> None:
    """Each request has a different one, and all of them are searched for in all texts."""
    path = tmp_path / "x.json"
    transport = FakeTransport()
    transport.on_execute(lambda _: True, handler=lambda run: f"{run.env['NAME']} {run.code}")

    def program(client: Buntime) -> list[str]:
        with client.sessions.create() as session:
            values = [f"the value number {number:04}" for number in range(200)]
            return [
                session.execute(f"{values[number // 2]}, {number}", env={"NAME": value}).stdout
                for number, value in enumerate(values)
            ]

    assert record(path, program, transport) == replay(path, program)
    assert "the value" not in path.read_text(encoding="utf-8")


def test_nothing_is_lost_if_the_cassette_cannot_be_written(tmp_path: Path) -> None:
    """The part file has the recorded interactions, and the error refers to it."""
    path = tmp_path / "x.json"

    def program(client: Buntime) -> None:
        client.sessions.create()
        path.mkdir()

    with pytest.raises(CassetteError, match=r"cannot be written.*x\.json\.part has the recording"):
        record(path, program)
    assert ["POST /sessions/create"] == [item.call for item in load(tmp_path / "x.json.part").interactions]


@pytest.mark.parametrize(
    ("env", "secret", "template"),
    [
        ({}, "ses_abc123.9f8e7d6c", {"url": "wss://x/?t={0}", "accessToken": "{0}"}),
        ({"USER_TOKEN": "alice"}, "alice:S3cretPw99", {"url": "pg://{0}@h", "dsn": "{0}"}),
        ({}, "S3cretPw99", {"user": {"note": "is {0}"}, "password": "{0}"}),
    ],
    ids=["begins with an id", "begins with another secret", "named behind"],
)
def test_a_secret_named_by_a_response_is_hidden_in_all_of_it(
    env: dict[str, str], secret: str, template: dict[str, Any], tmp_path: Path
) -> None:
    """At every position in the response, whatever other parts of it are replaced."""
    bodies = {
        "/sessions/create": {"sessionId": "ses_abc123", "previewUrl": "https://ses-abc123.example"},
        "/execute": RESULT,
        "/later": json.loads(json.dumps(template).replace("{0}", secret)),
    }

    def service(request: Request) -> Response:
        body = json.dumps(bodies[request.path]).encode()
        return Response(200, {"Content-Type": "application/json"}, [body])

    def program(client: Buntime) -> Any:
        client.sessions.create().execute("1", env=env)
        return client.request("GET", "/later").json()

    path = tmp_path / "x.json"
    record(path, program, FunctionTransport(service))

    assert secret[-8:] not in path.read_text(encoding="utf-8")


EARLY: dict[str, Callable[[Buntime], Any]] = {
    "variable": lambda c: c.execute(session_id="ses_9", code="2", env={"DB_PASSWORD": PASSWORD}),
    "field": lambda c: c.request("POST", "/e", json={"token": PASSWORD}),
}


@pytest.mark.parametrize(("kind", "name"), [("variable", "«env:DB_PASSWORD»"), ("field", "«value:token»")])
def test_secret_in_a_response_before_any_request_is_blocked(kind: str, name: str, tmp_path: Path) -> None:
    """Replay could not return it, unless the program works with the placeholder."""
    path = tmp_path / "x.json"

    def program(client: Buntime) -> str:
        stdout = client.execute(session_id="ses_9", code="1").stdout
        EARLY[kind](client)
        return stdout

    with pytest.raises(CassetteError) as caught:
        record(path, program, echo_of(f"is {PASSWORD}"))
    assert f"POST /execute '1', holds {name} before a request does (response stdout)" in str(caught.value)
    assert PASSWORD not in str(caught.value)
    assert not path.exists()
    assert f"is {PASSWORD}" == record(path, program, echo_of(f"is {PASSWORD}"), allow=[name])
    assert f"is {name}" == replay(path, program)


SHORTEST = {
    "a private key (PEM)": "-----BEGIN PRIVATE KEY-----",
    "an AWS access key": "AKIA" + "A" * 16,
    "a Buntime key": "btk_" + "a" * 16,
    "a GitHub token": "ghp_" + "a" * 30,
    "a GitHub token of one project": "github_pat_" + "a" * 30,
    "a GitLab token": "glpat-1" + "a" * 19,
    "a Google API key": "AIza" + "a" * 35,
    "a Google access token": "ya29." + "a" * 20,
    "a Hugging Face token": "hf_" + "a" * 30,
    "a JSON web token": "eyJ" + "a" * 8 + ".eyJ" + "a" * 8 + ".a",
    "an npm token": "npm_" + "a" * 30,
    "an OpenAI or Anthropic key": "sk-1" + "a" * 19,
    "a PyPI token": "pypi-AgE" + "a" * 30,
    "a SendGrid key": "SG." + "a" * 16 + "." + "a" * 16,
    "a Slack token": "xoxb-1" + "a" * 9,
    "a Stripe key": "sk_live_" + "a" * 16,
}


def test_the_shortest_keys_are_detected() -> None:
    """Also by the check of a whole line that comes before the patterns."""
    for kind, key in SHORTEST.items():
        assert [kind] == list(keys_in(key, ())), kind
        assert may_have_key(json.dumps({"stdout": f"a {key} b"})), kind
    assert set(SHORTEST) == set(_KEYS)


_PIECES = st.sampled_from(
    [*SHORTEST.values(), "\n", '"', "\\", "é", " ", "/", "a", "Q0", "ab" * 12]
) | st.binary(max_size=4)


@given(
    st.lists(_PIECES, max_size=6),
    st.lists(st.sampled_from(["\n", '"', "\\", "é", "n", " "]), max_size=2),
    st.booleans(),
)
def test_the_line_shows_each_key_in_its_texts(
    pieces: list[str | bytes], before: list[str], encoded: bool
) -> None:
    """As it is or in base64, whatever stands beside it and is escaped in the line."""
    content = b"".join(piece.encode() if isinstance(piece, str) else piece for piece in pieces)
    text = base64.b64encode(content).decode() if encoded else content.decode("latin-1")
    text = "".join(before) + text
    if any(any(keys_in(each, ())) for each in (text, *base64_in(text))):
        assert may_have_key(json.dumps({"stdout": text}))
