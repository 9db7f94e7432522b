"""No secret of a program that uses Runloop is in its cassette, and replay returns the recorded values."""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from buntime import CassetteError
from buntime.cassette.body import join_outputs
from buntime.cassette.file import load
from buntime.cassette.secrets.placeholders import PLACEHOLDER
from buntime.runloop import RunloopSDK
from buntime.runloop.wire.dialect import DIALECT
from buntime.runloop.wire.session_messages import MARK
from buntime.transport import RecordingTransport, ReplayTransport, Request, Response, Transport
from tests.runloop.client.stub import as_json
from tests.unit.cassette.secrets.test_no_secret_is_written import EXAMPLES, leaking, secrets, texts

KINDS = ("variable", "secret", "mount", "tunnel", "key", "profile")
FORMAT = frozenset(
    {"request", "response", "json", "headers", "status", "query", "method", "events", "secret"}
)


@attrs.frozen
class Plan:
    """Secrets with the field of each, and the steps of a program: texts with secrets in them."""

    known: tuple[str, ...]
    kinds: tuple[str, ...]
    steps: tuple[tuple[str, Any], ...]


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Return a program with one to three secrets."""
    known = tuple(draw(st.lists(secrets, min_size=1, max_size=3, unique=True)))
    kinds = tuple(draw(st.sampled_from(KINDS)) for _ in known)
    text = texts(known)
    binary = st.sampled_from(known).map(lambda secret: b"\xff\0" + secret.encode())
    step = (
        st.tuples(st.sampled_from(["command", "file", "upload", "json", "helper"]), text)
        | st.tuples(st.just("download"), binary)
        | st.tuples(st.just("stream"), st.tuples(text, st.lists(st.integers(0, 80), max_size=4)))
    )
    return Plan(known, kinds, tuple(draw(st.lists(step, min_size=1, max_size=4))))


class _Service:
    """Returns the text of each step; ``declared`` are the secrets that it makes."""

    def __init__(self, plan: Plan) -> None:
        pairs = zip(plan.kinds, plan.known)
        self.made = iter([secret for kind, secret in pairs if kind in {"tunnel", "key"}])
        self.steps = iter(plan.steps)

    def send(self, request: Request, /) -> Response:
        last = request.path.rpartition("/")[2]
        if last in {"devboxes", "secrets", "start_run"}:
            return as_json({"id": "dbx_1", "status": "running"})
        if last in {"enable_tunnel", "create_ssh_key"}:
            field = "auth_token" if last == "enable_tunnel" else "ssh_private_key"
            return as_json({"id": "k1", "tunnel_key": "t1", field: next(self.made)})
        view = {"devbox_id": "dbx_1", "execution_id": "exc_1", "status": "completed", "exit_status": 0}
        if last in {"execute_async", "exc_1"}:
            return as_json(view)
        kind, data = next(self.steps)
        if kind == "download":
            return Response(200, {"Content-Type": "application/octet-stream"}, [data])
        if kind == "stream":
            return Response(200, {"Content-Type": "text/event-stream"}, self.events(*data))
        if kind == "helper":
            return as_json({**view, **_outputs(data)})
        return as_json({**view, "stdout": data, "anything": {"deep": [data]}})

    def events(self, text: str, cuts: list[int]) -> Iterator[bytes]:
        ends = [0, *sorted(cuts), len(text)]
        for piece in (text[a:b] for a, b in zip(ends, ends[1:])):
            yield f"data: {json.dumps({'output': piece})}\n\n".encode()

    def close(self) -> None:
        pass


def _outputs(text: str) -> dict[str, str]:
    """Return the output of a helper of a session, with a text in its reply and in its outcome."""
    encoded = base64.b64encode(text.encode("utf-8", "surrogatepass")).decode()
    outcome = {"exit": 0, "written": [text], "label": {"op": "read", "path": text}}
    reply, end = (
        json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        for value in ({"content": text, "base64": encoded}, outcome)
    )
    return {"stdout": f"{text}\n{reply}\n", "stderr": f"{text}{MARK}{end}\n"}


def _declare(runloop: RunloopSDK, kind: str, secret: str) -> None:
    devbox = runloop.devbox.from_id("dbx_1")
    if kind == "variable":
        runloop.devbox.create(environment_variables={"MY_TOKEN": secret}, keep=True)
    elif kind == "secret":
        runloop.api.post("/v1/secrets", body={"name": "n1", "value": secret})
    elif kind == "mount":
        runloop.devbox.create(mounts=[{"auth_token": secret}], keep=True)
    elif kind == "profile":
        profile = {"envVars": {"MY_TOKEN": secret}}
        runloop.api.post("/v1/scenarios/start_run", body={"runProfile": profile})
    elif kind == "tunnel":
        devbox.net.enable_tunnel()
    else:
        devbox.net.create_ssh_key()


def _program(transport: Transport, plan: Plan) -> list[Any]:
    results: list[Any] = []
    with RunloopSDK(bearer_token="rk_of_the_tests", transport=transport, max_retries=0) as runloop:
        devbox = runloop.devbox.from_id("dbx_1")
        for kind, secret in zip(plan.kinds, plan.known):
            _declare(runloop, kind, secret)
        for kind, data in plan.steps:
            if kind == "command":
                results.append(devbox.cmd.exec(data).stdout())
            elif kind == "helper":
                result = devbox.cmd.exec(
                    f"cd workspace && exec bun ../.buntime/run-{'0' * 16}.ts {'0' * 32}.json"
                )
                results += [result.stdout(), result.stderr()]
            elif kind == "file":
                results.append(devbox.file.write(file_path="f1", contents=data).stdout)
            elif kind == "upload":
                results.append(vars(devbox.file.upload(path="f1", file=data))["extra"])
            elif kind == "json":
                results.append(runloop.api.post("/v1/odd", body={"inner": {data: data}}, params={"q": data}))
            elif kind == "download":
                results.append(devbox.file.download(path="f1").decode("latin-1"))
            else:
                results.append(devbox.cmd.exec("s1", stdout=lambda _: None).stdout())
    return results


def _written(value: Any, name: str = "") -> Iterator[str]:
    """Yield the texts of a cassette that do not come from its format or the API, without placeholders."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "events":
                joined, others = join_outputs(item, DIALECT)
                yield from _written([*joined.values(), [data for _, *data in others]])
            elif key not in {"method", "Content-Type"} and str(item) not in DIALECT.routes:
                if key not in DIALECT.fields | FORMAT | {
                    "text",
                    "base64",
                    "type",
                    "filename",
                    "file",
                    "path",
                }:
                    yield PLACEHOLDER.sub("\0", key)
                yield from _written(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from _written(item, name)
    elif isinstance(value, str):
        # A field of the program may have this name, too, if it is the secret.
        is_encoded = name == "base64" and PLACEHOLDER.fullmatch(value) is None
        text = base64.b64decode(value).decode("latin-1") if is_encoded else value
        yield PLACEHOLDER.sub("\0", text)


def _leaks(path: Path, plan: Plan) -> list[str]:
    return leaking((text for item in load(path).interactions for text in _written(item.data)), plan.known)


@settings(
    deadline=None,
    max_examples=EXAMPLES,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
@given(plans())
@example(Plan(("TOKEN",), ("variable",), (("stream", ("a=TOKEN|", [3])), ("json", "a=TOKEN|"))))
@example(Plan(("planted-secret",), ("variable",), (("helper", "a=planted-secret|"), ("helper", "-secret"))))
def test_no_secret_is_written(plan: Plan) -> None:
    """Otherwise the interaction is blocked."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.json")
        transport = RecordingTransport(path, _Service(plan))
        try:
            recorded = _program(transport, plan)
        except CassetteError as error:
            if "blocked: " not in str(error):
                raise
            return
        finally:
            transport.discard()
        assert [] == _leaks(path, plan)
        if {"tunnel", "key"}.isdisjoint(plan.kinds):  # replay cannot know a secret that the service made
            replay = ReplayTransport(path)
            assert json.dumps(recorded) == json.dumps(_program(replay, plan))
            assert [] == replay.unplayed
