"""Code that began like a helper's first line but was not one made the model respond with 500."""

from __future__ import annotations

import json

from tests.support.cases import in_one_test
from tests.support.samples import SampleService


@in_one_test("line", ["", "{", "[]", "null", "{}", '{"op": []}'])
def test_a_malformed_header_is_an_unknown_helper(line: str) -> None:
    """The response is 501, as for a helper of a newer client."""
    body = {"sessionId": "ses_1", "code": f"// buntime:helper {line}\nconsole.log(1)"}
    response = SampleService().send("POST /execute", body=body)

    assert 501 == response.status
    assert "unknown_helper" == json.loads(response.read())["error"]["code"]
