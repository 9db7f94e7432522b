"""Each new session and each new variable slowed down all later calls of a recording."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from buntime import Buntime
from buntime.transport import FunctionTransport, RecordingTransport, Request, Response

CALLS = 500
RESULT = {"stdout": "done\n", "stderr": "", "exitCode": 0}


def _service(request: Request) -> Response:
    body = {"sessionId": "ses_1"} if request.path == "/sessions/create" else RESULT
    return Response(200, {"Content-Type": "application/json"}, [json.dumps(body).encode()])


def with_new_session(client: Buntime, number: int) -> None:
    """Create a session, which has a new idempotency key each time."""
    client.sessions.create(metadata={"number": number})


def with_new_variable(client: Buntime, number: int) -> None:
    """Pass a long variable that is new each time and similar to all others."""
    client.execute(session_id="ses_1", code="1", env={"ROW": f"the value of row {number:06}"})


def with_token_in_code(client: Buntime, number: int) -> None:
    """Send a token in code before it is identified as a secret."""
    token = f"tok{number:09}"
    client.execute(session_id="ses_1", code=f"login('{token}')")
    client.execute(session_id="ses_1", code="1", env={"TOKEN": token})


def _steps(program: Callable[[], Any]) -> int:
    """Return how many functions a program calls, a measure of work that ignores the machine's load."""
    count = 0

    def count_call(*_: Any) -> None:
        nonlocal count
        count += 1

    sys.setprofile(count_call)
    try:
        program()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("call", [with_new_session, with_new_variable, with_token_in_code])
def test_last_call_costs_as_much_as_the_first(call: Callable[[Buntime, int], None], tmp_path: Path) -> None:
    """The work of a call does not grow with the number of earlier calls."""
    client = Buntime("btk_1", transport=RecordingTransport(tmp_path / "x.json", FunctionTransport(_service)))

    def calls(first: int, count: int) -> None:
        for number in range(first, first + count):
            call(client, number)

    with client:
        calls(0, 50)
        early = _steps(lambda: calls(50, 50))
        calls(100, CALLS)
        late = _steps(lambda: calls(100 + CALLS, 50))
    assert late < 1.5 * early
