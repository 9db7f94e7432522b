"""docs/openapi.json describes the service: neither can change without the other."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import attrs
import pytest

from buntime.service.errors import STATUS_OF_CODE
from buntime.service.sessions.app import ROUTES
from buntime.service.sessions.limits import PLANS
from tests.support import responses
from tests.support.cases import in_one_test
from tests.support.openapi import (
    DOCUMENT,
    OPERATIONS,
    events,
    resolve_reference,
    schema,
    schema_errors,
    violations_of,
)
from tests.support.samples import CODE, OK, SAMPLES, Sample, SampleService

RESPONSES = DOCUMENT["components"]["responses"]


def _responses() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every response of the document, with its location."""
    yield from RESPONSES.items()
    for name, operation in OPERATIONS.items():
        yield f"{name} 200", operation.responses[200]


def _examples() -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Yield every example of the document, with its location and its schema."""
    bodies = [(name, operation.spec.get("requestBody")) for name, operation in OPERATIONS.items()]
    for location, node in [*((name, body) for name, body in bodies if body), *_responses()]:
        for media_type, media in node["content"].items():
            for name, example in media.get("examples", {}).items():
                yield f"{location} {media_type} {name}", media["schema"], example["value"]
    for name, match in DOCUMENT["components"]["schemas"].items():
        for number, value in enumerate(match.get("examples", ())):
            yield f"{name} {number}", match, value
    for name, operation in OPERATIONS.items():
        for parameter in operation.spec.get("parameters", ()):
            if "example" in parameter:
                yield f"{name} {parameter['name']}", parameter["schema"], parameter["example"]


EXAMPLES = list(_examples())


def test_the_document_is_openapi_3_1() -> None:
    """A validator of such documents reports no errors."""
    from openapi_spec_validator import validate  # its import takes a second

    assert "3.1.0" == DOCUMENT["openapi"]
    validate(DOCUMENT)


def test_paths_and_methods_are_those_of_the_service() -> None:
    """No route is missing, and no other is documented."""
    routes = {f"{method} {path}" for path, methods in ROUTES.items() for method in methods}
    assert routes == set(OPERATIONS)


def test_it_describes_the_live_service() -> None:
    """The server is the service's, with its key as a bearer token for every request."""
    assert [{"url": "https://api.buntime.sh"}] == DOCUMENT["servers"]
    assert [{"bearer": []}] == DOCUMENT["security"]
    assert "bearer" == DOCUMENT["components"]["securitySchemes"]["bearer"]["scheme"]
    assert [] == [str(operation) for operation in OPERATIONS.values() if "security" in operation.spec]


@in_one_test(
    ("expected", "value"), [example[1:] for example in EXAMPLES], ids=[example[0] for example in EXAMPLES]
)
def test_examples_fit_their_schema(expected: dict[str, Any], value: Any) -> None:
    """The document's examples follow its own rules."""
    assert [] == schema_errors(expected, value)


def test_examples_of_streams_are_streams_of_the_documented_events() -> None:
    """Each event's data fits the schema of its kind, and a stream ends with a result or an error."""
    response = OPERATIONS["POST /execute"].responses[200]
    streams = response["content"]["text/event-stream"]["x-streams"]
    for text in streams.values():
        assert [] == violations_of(response, {"Content-Type": "text/event-stream"}, text.encode())
    assert ["result", "error"] == [events(text)[-1][0] for text in streams.values()]


@in_one_test("name", list(RESPONSES))
def test_every_error_code_has_an_example(name: str) -> None:
    """One for each code of a response, under its name."""
    examples = RESPONSES[name]["content"]["application/json"].get("examples", {})
    codes = RESPONSES[name].get("x-codes", [])
    assert codes == list(examples) == [node["value"]["error"]["code"] for node in examples.values()]


@in_one_test(
    ("name", "sample"),
    [
        ("Session", responses.CREATED),
        ("SessionInfo", responses.INFO),
        ("ExecuteResult", responses.RESULT),
        ("Deleted", responses.DELETED),
        ("KillResult", responses.KILLED),
        ("WriteResult", responses.WRITTEN),
        ("FileList", responses.LISTED),
        ("FileContent", responses.READ),
        ("Error", responses.error_body("session_not_found")),
        ("Kill", {"sessionId": "ses_abc123", "pid": 1234}),
    ],
)
def test_samples_of_the_contract_fit(name: str, sample: object) -> None:
    """The samples on the service's pages follow the document."""
    assert [] == schema_errors(schema(name), sample)


@in_one_test("sample", SAMPLES, ids=str)
def test_the_service_responds_as_documented(sample: Sample) -> None:
    """Status, code, headers and body, of every response of each operation."""
    world = SampleService(**sample.options)
    response = sample.send(world)
    body = response.read()

    assert sample.status == response.status
    assert sample.code == (None if sample.status == 200 else json.loads(body)["error"]["code"])
    assert [] == OPERATIONS[sample.operation].violations(response.status, response.headers, body)
    world.service.close()


def test_every_documented_response_is_tested() -> None:
    """The document has no status and no code that the service does not use."""
    documented = {
        (name, status, code)
        for name, operation in OPERATIONS.items()
        for status, response in operation.emitted.items()
        for code in response.get("x-codes", [None])
    }
    assert documented == {(sample.operation, sample.status, sample.code) for sample in SAMPLES}


@pytest.mark.parametrize(
    ("call", "status", "name"),
    [("POST /files/delete", 404, "RouteNotFound"), ("PUT /execute", 405, "MethodNotAllowed")],
)
def test_requests_outside_of_operations_respond_as_documented(call: str, status: int, name: str) -> None:
    """An unknown path, and another method on a known one."""
    response = SampleService().send(call)

    assert status == response.status
    assert [] == violations_of(RESPONSES[name], response.headers, response.read())


def test_error_codes_are_those_of_the_source() -> None:
    """Every status and code of the service is documented, and the other way round."""
    documented = {
        (status, code)
        for operation in OPERATIONS.values()
        for status, response in operation.emitted.items()
        for code in response.get("x-codes", ())
    }
    elsewhere = {(404, "route_not_found"), (405, "method_not_allowed"), (403, "forbidden_host")}
    assert documented | elsewhere == {(status, code) for code, status in STATUS_OF_CODE.items()}


def test_limits_of_plans_are_those_of_the_service() -> None:
    """The service enforces the documented table of limits."""
    limits = {name: {_camel(key): limit for key, limit in _limits(name).items()} for name in PLANS}
    assert limits == DOCUMENT["x-plan-limits"]


def _limits(plan: str) -> dict[str, Any]:
    return {name: value for name, value in attrs.asdict(PLANS[plan]).items() if name != "name"}


def _camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name)


_LIMITS = schema("CreateSession")["properties"]["resourceLimits"]["properties"]
_QUERY = {node["name"]: node["schema"] for node in OPERATIONS["GET /files/list"].spec["parameters"]}


@in_one_test(
    ("operation", "location", "field", "expected"),
    [
        ("POST /sessions/create", "body", "ttl", schema("CreateSession")["properties"]["ttl"]),
        ("POST /sessions/create", "resourceLimits", "memory", _LIMITS["memory"]),
        ("POST /sessions/create", "resourceLimits", "timeout", _LIMITS["timeout"]),
        ("POST /execute", "body", "timeout", schema("Execute")["properties"]["timeout"]),
        ("POST /execution/kill", "body", "pid", schema("Kill")["properties"]["pid"]),
        ("GET /files/list", "query", "limit", _QUERY["limit"]),
        ("GET /files/list", "query", "offset", _QUERY["offset"]),
    ],
)
def test_bounds_of_integers_are_those_of_the_service(
    operation: str, location: str, field: str, expected: dict[str, Any]
) -> None:
    """A value at a bound is accepted, the next one is not."""
    world = SampleService(plan="enterprise")
    for bound, beyond in (("minimum", -1), ("maximum", 1)):
        if bound in expected:
            assert 200 == _with(world, operation, location, field, expected[bound]).status
            assert _with(world, operation, location, field, expected[bound] + beyond).status in {400, 403}


def _with(world: SampleService, operation: str, location: str, field: str, value: object) -> Any:
    sample = OK[operation]
    fields = {field: value}
    if location == "query":
        return attrs.evolve(sample, query={**sample.query, **fields}).send(world)
    body = fields if location == "body" else {location: fields}
    return attrs.evolve(sample, body={**sample.body, **body}).send(world)


@pytest.mark.parametrize(
    ("field", "keyword", "make"),
    [
        ("env", "maxProperties", lambda count: {f"NAME_{number}": "" for number in range(count)}),
        (
            "files",
            "maxItems",
            lambda count: [{"path": str(number), "content": ""} for number in range(count)],
        ),
    ],
)
def test_bounds_of_collections_are_those_of_the_service(field: str, keyword: str, make: Any) -> None:
    """As many as the document allows are accepted, and not one more."""
    world = SampleService(plan="enterprise")
    most = schema("Execute")["properties"][field][keyword]
    assert 200 == _with(world, "POST /execute", "body", field, make(most)).status
    assert 403 == _with(world, "POST /execute", "body", field, make(most + 1)).status


def test_bounds_of_the_idempotency_key_are_those_of_the_service() -> None:
    """From one character to 255."""
    world = SampleService()
    (expected,) = [
        resolve_reference(node)["schema"] for node in OPERATIONS["POST /sessions/create"].spec["parameters"]
    ]
    statuses = {
        length: world.send("POST /sessions/create", headers=[("Idempotency-Key", "k" * length)]).status
        for length in (0, expected["minLength"], expected["maxLength"], expected["maxLength"] + 1)
    }
    assert {0: 400, 1: 200, 255: 200, 256: 400} == statuses


@pytest.mark.parametrize("name", ["CreateSession", "Execute", "Kill"])
def test_a_null_counts_as_missing_if_documented(name: str) -> None:
    """Each field that may be null may be null, and no other."""
    operation = next(key for key in OK if _body_schema(key) == name)
    world = SampleService()
    for field, expected in schema(name)["properties"].items():
        if field == "code":
            continue
        nullable = "null" in resolve_reference(expected)["type"]
        assert (200 if nullable else 400) == _with(world, operation, "body", field, None).status


def _body_schema(operation: str) -> str:
    body = OPERATIONS[operation].spec.get("requestBody")
    return str(body["content"]["application/json"]["schema"]["$ref"]).rpartition("/")[2] if body else ""


@in_one_test(
    "body",
    [
        {"code": CODE, "command": "ls"},
        {},
        {"code": None, "command": None},
        {"code": CODE, "env": {"A=B": "c"}},
        {"code": CODE, "env": {"": "c"}},
        {"code": CODE, "env": {"A": 1}},
        {"command": "\0"},
        {"code": CODE, "files": [{"path": "a"}]},
        {"code": CODE, "files": [{"path": "a\0", "content": ""}]},
        {"code": 1},
        {"code": CODE, "stream": "yes"},
    ],
)
def test_a_body_that_does_not_match_the_schema_is_rejected(body: dict[str, Any]) -> None:
    """The document and the service agree on the fields of an execution."""
    world = SampleService()
    sent = {"sessionId": "ses_1", **body}
    assert schema_errors(schema("Execute"), sent)
    assert 400 == world.send("POST /execute", body=sent).status


def test_links_lead_to_operations_and_their_parameters() -> None:
    """The target of a link has the parameters that the link names."""
    by_id = {operation.spec["operationId"]: operation for operation in OPERATIONS.values()}
    for operation in OPERATIONS.values():
        for link in operation.responses[200].get("links", {}).values():
            target = by_id[link["operationId"]]
            item = DOCUMENT["paths"][target.path]
            known = {
                node["name"] for node in [*item.get("parameters", ()), *target.spec.get("parameters", ())]
            }
            assert set(link.get("parameters", {})) <= known
            assert ("requestBody" in link) <= ("requestBody" in target.spec)
