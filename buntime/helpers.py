"""What is built on ``/execute``, because the service has no call for it.

A helper is Bun code, never shell: what the session's shell offers is unknown. Its first line is
``// buntime:helper {"op": ..., ...}``, by which a service model can answer without running it; the last
line of its standard output is JSON.
"""

from __future__ import annotations

import json
from typing import Any

from buntime.errors import InvalidResponseError, SessionFileNotFoundError
from buntime.execution import Executions
from buntime.models import ExecuteRequest, ExecuteResult

_READ = r"""
const { readFileSync } = require("node:fs");
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
let answer;
try {
  answer = { content: decoder.decode(readFileSync(helper.path.replace(/^\/workspace\//, ""))) };
} catch (error) {
  answer = { error: error.code ?? error.name, message: String(error.message) };
}
console.log(JSON.stringify(answer));
"""


def source(op: str, program: str, **arguments: Any) -> str:
    """Return the code of a helper: its first line, its arguments as ``helper``, and the program."""
    line = json.dumps({"op": op, **arguments})
    return f"// buntime:helper {line}\nconst helper = {line};\n{program.strip()}\n"


def answer_of(result: ExecuteResult) -> dict[str, Any]:
    """Return the JSON object in the last line of a helper's standard output."""
    line = result.stdout.strip().rpartition("\n")[2]
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError):
        answer = None
    if isinstance(answer, dict):
        return answer
    raise InvalidResponseError(
        f"a helper ended with exit code {result.exit_code} and no JSON object in the last line of its "
        f"output; stderr ends {result.stderr[-300:]!r}",
        body=result.stdout[-500:].encode("utf-8", "replace"),
    )


def read_file(executions: Executions, session_id: str, path: str) -> str:
    """Return a file as text, by code that reads it in the session."""
    code = source("read", _READ, path=path)
    answer = answer_of(executions.run(ExecuteRequest(code, session_id=session_id, idempotent=True)))
    content = answer.get("content")
    if isinstance(content, str):
        return content
    if answer.get("error") == "ENOENT":
        raise SessionFileNotFoundError(f"the session has no file {path!r}", code="file_not_found", path=path)
    raise InvalidResponseError(f"{path!r} cannot be read as text: {answer.get('message')}")
