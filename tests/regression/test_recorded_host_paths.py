"""Without a sandbox, a recording had paths of this machine, so that it changed each time."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import pytest

from buntime import Buntime, JavaScriptError
from buntime.testing import cassette
from buntime.transport import LocalTransport

CODE = """
console.log(process.cwd(), import.meta.path, process.env.HOME, process.env.TMPDIR, process.env.PATH);
console.error(new Error("here").stack);
"""


def _program(client: Buntime) -> list[str]:
    with client.sessions.create() as session:
        printed = session.execute(CODE)
        shell = session.execute(command="pwd; echo $HOME $TMPDIR $PATH").stdout
        session.files.write("a.ts", "export default () => { throw new Error(import.meta.path) }")
        with pytest.raises(JavaScriptError) as caught:
            session.call("./a.ts")
        with session.stream(CODE) as stream:
            streamed = "".join(event.text for event in stream)
        return [printed.stdout, printed.stderr, shell, caught.value.stack, streamed]


@pytest.mark.parametrize("root", [None, "workspaces"])
def test_a_second_recording_changes_nothing(root: Optional[str], tmp_path: Path) -> None:
    """Its paths are those of a sandbox, and so are those that replay returns."""
    path = tmp_path / "x.json"

    def source() -> LocalTransport:
        return LocalTransport(isolation="none", root=tmp_path / root if root else None)

    with cassette(path, mode="record", source=source) as client:
        _program(client)
    before = path.read_bytes()
    assert b"buntime-" not in before
    assert str(tmp_path).encode() not in before
    for mode in ("record", "verify"):
        with cassette(path, mode=mode, source=source) as client:
            _program(client)
    assert before == path.read_bytes()
    with cassette(path, mode="replay") as client:
        output, errors, shell, stack, _ = _program(client)
    assert output.startswith("/workspace /workspace/[stdin] /home /tmp /workspace/node_modules/.bin:")
    assert "    at /workspace/[stdin]:3:" in errors
    assert shell == "/workspace\n/home /tmp /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
    assert stack.startswith("Error: /workspace/a.ts\n")
