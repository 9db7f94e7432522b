"""Generated requests from docs/openapi.json against a running ``buntime serve``; see test_schemathesis.py."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
import schemathesis.checks
from hypothesis import HealthCheck, settings
from hypothesis.errors import FlakyStrategyDefinition

from buntime._http import Headers
from tests.support import effort
from tests.support.openapi import DOCUMENT, OPERATIONS, violations_of
from tests.support.serving import buntime_serve

_KEY = "btk_of_schemathesis"
_TRIES = 5
_AUTHORIZED = {"Authorization": f"Bearer {_KEY}"}
_BOUNDED = settings(
    max_examples=max(6, effort.examples(25)),
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
_SEQUENCES = settings(_BOUNDED, max_examples=effort.examples(15), stateful_step_count=12)
# A schema cannot express that a path stays in the workspace and is not a directory.
_EXCLUDED = [schemathesis.checks.positive_data_acceptance]

# schemathesis checks each event by the schema of a stream, which in OpenAPI 3.1 describes its text.
_document = copy.deepcopy(DOCUMENT)
_stream = _document["paths"]["/execute"]["post"]["responses"]["200"]["content"]["text/event-stream"]
_stream["schema"] = _stream["x-event"]

schema = schemathesis.openapi.from_dict(
    _document,
    config=schemathesis.Config.from_dict(
        {
            # Replaced by the server's address in every call; this port has no listener.
            "base-url": "http://127.0.0.1:1",
            "generation": {"deterministic": True, "with-security-parameters": False},
            # Every boundary of every field, with the profile "full".
            "phases": {"coverage": {"enabled": _BOUNDED.max_examples >= 25}},
        }
    ),
)


@pytest.fixture(scope="module", autouse=True)
def url() -> Iterator[str]:
    """Run a server with scripted executions and all limits of a plan except the number of requests."""
    with buntime_serve("--api-key", _KEY, "--fake", "tests.support.served_fakes:anything") as server:
        yield server.url


def _new_session(url: str) -> str:
    with requests.post(f"{url}/sessions/create", headers=_AUTHORIZED, timeout=60) as response:
        return str(response.json()["sessionId"])


@pytest.fixture(scope="module")
def session_id(url: str) -> str:
    """Create the session that requests refer to."""
    return _new_session(url)


@pytest.fixture(scope="module")
def succeeded() -> Iterator[dict[str, bool]]:
    """Record whether each operation ever succeeded; each that was called must have."""
    results: dict[str, bool] = {}
    yield results
    assert [] == [operation for operation, success in results.items() if not success]


def _use_existing_session(case: Any, session_id: str) -> None:
    """Replace any generated session id with an existing one, to get further than 404."""
    for fields in (case.path_parameters, case.query, case.body):
        generated = fields.get("sessionId") if isinstance(fields, dict) else None
        if isinstance(generated, str) and re.fullmatch("ses_[A-Za-z0-9]+", generated):
            fields["sessionId"] = session_id


def _violations(case: Any, response: Any) -> list[str]:
    """Return violations that schemathesis does not check: error codes and undocumented responses."""
    headers = Headers((name.title(), value) for name, (value, *_) in response.headers.items())
    operation = OPERATIONS.get(f"{case.method} {case.path}")
    if operation is None:
        return violations_of(
            DOCUMENT["components"]["responses"]["MethodNotAllowed"], headers, response.content
        )
    return operation.violations(response.status_code, headers, response.content)


@schema.parametrize()
@_BOUNDED
def test_every_operation_responds_as_documented(
    case: Any, url: str, session_id: str, succeeded: dict[str, bool]
) -> None:
    """No request, valid or not, causes a 5xx, an unknown status or code, or a violation of a schema."""
    _use_existing_session(case, _new_session(url) if case.method == "DELETE" else session_id)
    response = case.call_and_validate(base_url=url, headers=_AUTHORIZED, excluded_checks=_EXCLUDED)

    assert response.status_code < 500
    assert [] == _violations(case, response)
    name = f"{case.method} {case.path}"
    if name in OPERATIONS:
        succeeded[name] = succeeded.get(name, False) or response.status_code == 200


def test_sequences_of_requests_respond_as_documented(url: str) -> None:
    """Sequences follow the document's links: later requests use earlier results, never deleted ones."""
    succeeded = set()

    class Sequences(schema.as_state_machine()):  # type: ignore[misc]  # the class is created at run time
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {"base_url": url, "headers": _AUTHORIZED}

        def validate_response(self, response: Any, case: Any, *_: Any, **call: Any) -> None:
            case.validate_response(response, excluded_checks=_EXCLUDED, transport_kwargs=call)
            assert response.status_code < 500
            assert [] == _violations(case, response)
            if response.status_code == 200:
                succeeded.add(case.operation.definition.raw["operationId"])

    for _ in range(_TRIES):
        try:
            Sequences.run(settings=_SEQUENCES)
            break
        except FlakyStrategyDefinition:
            continue  # schemathesis follows links at random, so the same choices may end differently
    else:
        pytest.fail(f"no sequence of requests was completed in {_TRIES} runs")
    assert {"createSession", "getSession", "execute", "deleteSession"} <= succeeded
