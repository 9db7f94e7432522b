"""The commands of the suite with the results that bash gives, for a fake."""

from __future__ import annotations

import re

from buntime.transport import FakeTransport, ScriptedExecution, ScriptedResult

LINES = "for i in {1..1000}; do echo Line $i; done"
BOTH = "echo to stdout; echo to stderr >&2; exit 3"
ENVIRONMENT = "echo $GREETING"
COUNT = "echo once >> once.txt; wc -l < once.txt"
ECHOES = "cat; echo end"
FOREVER = "echo up; sleep 1000"

HALF = 'pwd; cat answer.txt; [ "$NAME" = E ] && echo score=0.5'
PYTHON_SCORE = "import os\nprint('files:', os.listdir('.'))\nprint(0.25)"
TESTS = "diff answer.txt tests/expected.txt"
CONTEXT = 'echo "$RL_SCORER_CONTEXT" | tr -dc 0-9.'


def script(fake: FakeTransport) -> FakeTransport:
    """Script the commands above, and some of the tests' own."""
    fake.on_execute(command="true")
    fake.on_execute(command=LINES, stdout="".join(f"Line {i}\n" for i in range(1, 1001)))
    fake.on_execute(command=BOTH, chunks=[("stdout", "to stdout\n"), ("stderr", "to stderr\n")], exit_code=3)
    fake.on_execute(command=ENVIRONMENT, handler=lambda run: run.env.get("GREETING", "") + "\n")
    fake.on_execute(command=COUNT, handler=_count)
    fake.on_execute(command=ECHOES, stdout="abc\nend\n", keeps_running=True)
    fake.on_execute(command=FOREVER, stdout="up\n", keeps_running=True)
    fake.on_execute(command="cat a/b.txt", handler=lambda run: run.workspace.read("a/b.txt").decode())
    fake.on_execute(command="echo é☃😀", stdout="é☃😀\n")
    fake.on_execute(command="sleep 0.4; echo first", stdout="first\n", execution_time=400)
    fake.on_execute(command="echo second", stdout="second\n")
    fake.on_execute(command="echo launched > l.txt", files={"l.txt": "launched\n"})
    fake.on_execute(command="exit 9", exit_code=9)
    fake.on_execute(command="test -f answer.txt")
    fake.on_execute(command=HALF, stdout="/home/user/app\nanswer of E\nscore=0.5\n")
    fake.on_execute(command=re.compile("^python3"), stdout="files: []\n0.25\n")
    fake.on_execute(command=TESTS, handler=lambda run: run.workspace.read("app/tests/expected.txt").decode())
    fake.on_execute(command=CONTEXT, handler=lambda run: run.env["RL_SCORER_CONTEXT"].split()[-1].strip("}"))
    return fake


def _count(run: ScriptedExecution) -> ScriptedResult:
    try:
        content = run.workspace.read("once.txt")
    except FileNotFoundError:
        content = b""
    content += b"once\n"
    lines = len(content.splitlines())
    return ScriptedResult(stdout=f"{lines}\n", files={"once.txt": content.decode()})
