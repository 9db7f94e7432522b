"""A ``bunfig.toml`` in the workspace, with a preload that fails, disabled files, processes and ports."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from buntime import Buntime, Session
from buntime.transport import LocalTransport
from tests.support.folders import content_of, fill

CONFIGURATIONS = {
    "a missing package": {"bunfig.toml": 'preload = ["bun-plugin-tailwind"]\n'},
    "a preload that throws": {
        "bunfig.toml": 'preload = ["./setup.js"]\n',
        "setup.js": "throw Error('setup')",
    },
    "a preload that patches globals": {
        "bunfig.toml": 'preload = ["./setup.js"]\n',
        "setup.js": "JSON.stringify = () => 'patched'; console.log = () => {}; process.exit(0)",
    },
    "other settings": {"bunfig.toml": '[define]\n"process.stdout" = "null"\n[run]\nbun = false\n'},
    "an invalid bunfig": {"bunfig.toml": "preload = [oops\n"},
    "other invalid files": {
        "package.json": "{{{",
        "tsconfig.json": "oops",
        ".env": "BUN_OPTIONS=--preload=./x\n",
    },
}


@pytest.fixture
def session() -> Iterator[Session]:
    """Return a session on this machine."""
    with Buntime(transport=LocalTransport()) as client, client.sessions.create() as session:
        yield session


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_every_helper_works_beside_a_configuration(session: Session, tmp_path: Path, name: str) -> None:
    """Files are sent, described, moved, fetched and deleted, and processes are started and watched."""
    project = fill(tmp_path / "project", {**CONFIGURATIONS[name], "data.bin": os.urandom(2_000_000)})
    session.files.upload(project, "")
    assert 0 == len(session.files.upload(project, "").transferred)
    assert session.files.exists("data.bin")
    session.files.mkdir("folder")
    session.files.move("data.bin", "folder/data.bin")
    session.files.write("small.bin", b"\xff")
    assert b"\xff" == session.files.read_bytes("small.bin")
    session.files.download("folder", tmp_path / "down")
    assert content_of(project)["data.bin"] == content_of(tmp_path / "down")["data.bin"]
    process = session.start(command="echo started; sleep 0.2")
    assert 0 == process.wait(timeout=60)
    assert "started\n" == process.logs().stdout
    assert [process.number] == [each.number for each in session.processes()]
    session.files.delete("folder", recursive=True)
    assert not session.files.exists("folder")


def test_programs_of_the_user_have_the_configuration(session: Session) -> None:
    """A preload applies to ``execute``, ``call`` and ``start``, and they inherit no option of the helpers."""
    session.files.write("bunfig.toml", 'preload = ["./setup.js"]\n')
    session.files.write("setup.js", "globalThis.answer = 42;\n")
    code = "console.log(globalThis.answer, process.env.BUN_OPTIONS)"
    assert "42 undefined\n" == session.execute(code).stdout
    assert 42 == session.call("() => globalThis.answer")
    for env, options in (({}, "undefined"), ({"BUN_OPTIONS": "--smol"}, "--smol")):
        process = session.start(code, env=env)
        process.wait(timeout=60)
        assert f"42 {options}\n" == process.logs().stdout
