"""No secret is written in any form or position, and replay returns the recorded values."""

from __future__ import annotations

import base64
import json
import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Callable
from urllib.parse import quote

import attrs
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from buntime import Buntime, CassetteError
from buntime.cassette.body import join_outputs
from buntime.cassette.file import Interaction, load
from buntime.cassette.secrets.placeholders import PLACEHOLDER, forms
from buntime.transport import FunctionTransport, RecordingTransport, ReplayTransport, Request, Response
from buntime.wire.constants import CALL_MARK
from buntime.wire.dialect import DIALECT
from tests.support import effort
from tests.support.wrapping import wrap

EXAMPLES = effort.examples(60)
JSON = {"Content-Type": "application/json"}
STREAM = {"Content-Type": "text/event-stream"}
WORDS = [
    *(
        "password",
        "test",
        "value",
        "2026",
        "path",
        "stdout",
        "stderr",
        "text",
        "type",
        "result",
        "code",
        "true",
    ),
    *(
        "session",
        "ses_",
        "execute",
        "api_key",
        "header",
        "json",
        "base64",
        "http",
        "aaaa",
        "abab",
        "\\\\\\\\",
    ),
    *(
        '""""',
        "%25%25",
        "a b c",
        "TOKEN",
        "ÄÖÜß",
        "日本語で",
        "\U0001f600" * 4,
        "«value",
        "first.4",
        "    ",
        "\n\n\n\n",
    ),
]
secrets = st.sampled_from(WORDS) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=4, max_size=200
)

Encode = Callable[[str], str]
ENCODINGS: dict[str, Encode] = {
    "plain": str,
    "json": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "ascii": lambda text: json.dumps(text)[1:-1],
    "url": lambda text: quote(text, safe=""),
    "url in url": lambda text: quote(quote(text)),
    "json in url": lambda text: quote(json.dumps(text, ensure_ascii=False)[1:-1], safe="!'()*"),
    **{
        f"base64 at {offset}": lambda text, offset=offset: base64.b64encode(  # type: ignore[misc]  # a default binds it
            bytes(offset) + text.encode() + bytes(2)
        ).decode()
        for offset in range(3)
    },
    **{
        f"base64 in lines of {width} at {offset}": lambda text, offset=offset, width=width, end=end: wrap(  # type: ignore[misc]  # defaults bind them
            base64.b64encode(bytes(offset) + text.encode() + bytes(2)).decode(), width, end
        )
        for width, end, offset in ((76, "\n", 0), (64, "\r\n", 1), (20, "\n", 2), (8, "\n", 0), (9, "\\n", 1))
    },
}


@attrs.frozen
class Plan:
    """The requests of a program and their responses: texts with secrets in them."""

    known: tuple[str, ...]
    """The values of secret variables, named fields and credentials."""
    kinds: tuple[str, ...]
    """The source of each: ``env``, ``long``, ``metadata`` or ``header``."""
    steps: tuple[tuple[str, Any], ...]
    declares_first: bool
    """Whether the secrets are known before they occur."""


@st.composite
def texts(draw: st.DrawFn, known: tuple[str, ...]) -> str:
    """Return a text with secrets in some forms."""
    others = st.text(st.sampled_from('ab "\\\n/«»|'), max_size=6)
    forms_of_secrets = st.builds(
        lambda secret, encoding: ENCODINGS[encoding](secret),
        st.sampled_from(known),
        st.sampled_from(list(ENCODINGS)),
    )
    if len(known) == 1:  # if the only one is still unknown, a second occurrence could begin anywhere
        return draw(others) + draw(forms_of_secrets) + draw(others)
    return "".join(draw(st.lists(others | forms_of_secrets, min_size=1, max_size=4)))


@st.composite
def cut_texts(draw: st.DrawFn, known: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return the pieces of two outputs, cut anywhere and interleaved."""
    pieces: list[tuple[int, str, str]] = []
    for kind in ("stdout", "stderr"):
        text = draw(texts(known))
        cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=4)))
        ends = [0, *cuts, len(text)]
        pieces += [(draw(st.integers(0, 5)), kind, text[a:b]) for a, b in zip(ends, ends[1:])]
    order = {
        kind: iter([text for _, source, text in pieces if source == kind]) for kind in ("stdout", "stderr")
    }
    return [(kind, next(order[kind])) for _, kind, _ in sorted(pieces, key=lambda piece: piece[0])]


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Return a program with one to three secrets."""
    declares_first = draw(st.booleans())
    known = tuple(draw(st.lists(secrets, min_size=1, max_size=3 if declares_first else 1, unique=True)))
    kinds = tuple(draw(st.sampled_from(["env", "long", "metadata", "header"])) for _ in known)
    strings = texts(known)
    nested = st.recursive(
        strings | st.integers() | st.none(),
        lambda inner: (
            st.lists(inner, max_size=2) | st.dictionaries(strings | st.just("stdout"), inner, max_size=2)
        ),
    )
    step = (
        st.tuples(st.just("execute"), st.tuples(strings, strings))
        | st.tuples(st.just("upload"), strings)
        | st.tuples(st.just("json"), st.dictionaries(st.just("data") | strings, nested, max_size=2))
        | st.tuples(st.just("query"), strings)
        | st.tuples(st.just("path"), strings)
        | st.tuples(st.just("call"), st.tuples(strings, nested))
        | st.tuples(st.just("stream"), cut_texts(known))
        | st.tuples(st.just("test"), strings)
    )
    return Plan(known, kinds, tuple(draw(st.lists(step, min_size=1, max_size=4))), declares_first)


def _declare(client: Buntime, plan: Plan) -> None:
    """Send the secrets in fields that identify them."""
    for number, (secret, kind) in enumerate(zip(plan.known, plan.kinds)):
        if kind == "metadata":
            client.request(
                "POST", "/sessions/create", json={"metadata": {"deep": {f"token{number}": secret}}}
            )
        elif kind != "header":
            name = "NAME" if kind == "long" and len(secret) >= 12 else "MY_TOKEN"
            client.execute(session_id="ses_1", code="tell()", env={f"{name}_{number}": secret})


def _headers(plan: Plan) -> dict[str, str]:
    """Return headers with the secrets that are valid in a header."""
    return {
        f"X-Token-{number}": secret
        for number, (secret, kind) in enumerate(zip(plan.known, plan.kinds))
        if kind == "header"
        and len(secret) >= 8
        and secret.isascii()
        and secret.isprintable()
        and secret.strip() == secret
    }


def _program(transport: RecordingTransport | ReplayTransport, plan: Plan) -> list[Any]:
    client = Buntime(transport=transport, headers=_headers(plan))
    results: list[Any] = []
    if plan.declares_first:
        _declare(client, plan)
    for kind, data in plan.steps:
        if kind == "test":
            transport.test = data
        else:
            results.append(_send(client, kind, data))
    if not plan.declares_first:
        _declare(client, plan)
    return results


def _send(client: Buntime, kind: str, data: Any) -> Any:
    if kind == "execute":
        return client.execute(session_id="ses_1", code=data[0] or "1").stdout
    if kind == "upload":
        return client.execute(session_id="ses_1", code="1", files={"a.txt": data}).stdout
    if kind == "json":
        return client.request("POST", "/anything", json=data).json()
    if kind == "query":
        return client.request("GET", "/anything", params={"q": data}).json()
    if kind == "path":
        return client.request("GET", f"/anything/{quote(data, safe='')}").json()
    if kind == "call":
        return client.sessions.attach("ses_1").call(f"(x) => x // {data[0]!r}", data[1])
    with client.stream(session_id="ses_1", code="stream()") as stream:
        outputs = [(event.kind, event.text) for event in stream]
    return ["".join(text for kind, text in outputs if kind == stream) for stream in ("stdout", "stderr")]


def _service(plan: Plan) -> FunctionTransport:
    """Return a service with a response for each step, which repeats its secrets."""
    steps = (step for step in plan.steps if step[0] != "test")

    def events(pieces: list[tuple[str, str]]) -> Iterator[bytes]:
        for kind, text in pieces:
            yield f"event: {kind}\ndata: {json.dumps({'text': text})}\n\n".encode()
        yield b'event: result\ndata: {"exitCode": 0}\n\n'

    def respond(request: Request) -> Response:
        body = json.loads(request.content or b"{}")
        if request.path == "/sessions/create":
            return Response(200, JSON, [b'{"sessionId": "ses_1"}'])
        if body.get("code") == "tell()":
            return Response(200, JSON, [json.dumps({"stdout": "", "stderr": "", "exitCode": 0}).encode()])
        kind, data = next(steps)
        if kind == "stream":
            return Response(200, STREAM, events(data))
        if kind == "call":
            reply = json.dumps({"value": data[1]}, ensure_ascii=False, separators=(",", ":"))
            text = f"{data[0]}{CALL_MARK}{reply}\n"
            return Response(200, JSON, [json.dumps({"stdout": text, "stderr": "", "exitCode": 0}).encode()])
        if kind in {"json", "query", "path"}:
            return Response(200, {**JSON, "X-Request-Id": "r1"}, [json.dumps({"answer": data}).encode()])
        stdout = data[1] if kind == "execute" else data
        return Response(200, JSON, [json.dumps({"stdout": stdout, "stderr": "", "exitCode": 0}).encode()])

    return FunctionTransport(respond)


def _written(value: Any, name: str = "") -> Iterator[str]:
    """Yield the texts of a cassette that do not come from its format or the API, without placeholders."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "events":
                joined, others = join_outputs(item, DIALECT)
                yield from _written(list(joined.values()))
                yield from _written([data for _, *data in others])
            elif not (key in {"method", "Content-Type"} or (key == "path" and str(item) in DIALECT.routes)):
                if key not in DIALECT.fields | {
                    "request",
                    "response",
                    "json",
                    "headers",
                    "status",
                    "query",
                    "test",
                    "X-Request-Id",
                }:
                    yield PLACEHOLDER.sub("\0", key)
                yield from _written(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from _written(item, name)
    elif isinstance(value, str) and not (name == "sessionId" and value == "ses_1"):
        yield PLACEHOLDER.sub("\0", value)


#: Texts of the programs themselves, which may contain a short secret by chance.
_OWN = {"tell()", "stream()", "ses_1", "a.txt", "r1", "/anything", "1"}


def _leaks(interactions: tuple[Interaction, ...], plan: Plan) -> list[str]:
    known = [
        secret
        for number, (secret, kind) in enumerate(zip(plan.known, plan.kinds))
        if kind != "header" or f"X-Token-{number}" in _headers(plan)
    ]
    return leaking((text for item in interactions for text in _written(item.data) if text not in _OWN), known)


def leaking(texts: Iterable[str], known: Iterable[str]) -> list[str]:
    """Return the texts that contain a secret in a form, of base64 also in several lines."""
    names = {text: name for secret in known for text, name in forms(secret).items()}
    return [
        text
        for text in texts
        for unwrapped in [re.sub(r"[\r\n]|\\+[rn]", "", text)]
        if any(form in text or ("base64" in name and form in unwrapped) for form, name in names.items())
    ]


@settings(
    deadline=None,
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
@given(plans())
def test_no_secret_is_written(plan: Plan) -> None:
    """Neither to the cassette nor to the files beside it meanwhile; otherwise the interaction is blocked."""
    note(repr((plan.known, plan.kinds, plan.steps, plan.declares_first)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.json")
        recorded, blocked = _record(path, plan)
        if blocked:
            assert "blocked: " in blocked
            return
        assert [] == _leaks(load(path).interactions, plan)
        replayed = _program(ReplayTransport(path), plan)
        assert json.dumps(recorded) == json.dumps(replayed)


def _record(path: Path, plan: Plan) -> tuple[list[Any], str]:
    """Return the results of the program, and the error of its recording."""
    transport = RecordingTransport(path, _service(plan))
    try:
        results = _program(transport, plan)
        assert [] == _leaks(load(path.with_name("x.json.part")).interactions, plan)
        transport.close()
    except CassetteError as error:
        return [], str(error)
    finally:
        transport.discard()
    return results, ""
