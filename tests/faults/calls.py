"""Every call of the client, made so that its result contains its own tag."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import attrs

from buntime import Buntime, Process, Session
from tests.faults.service import CountingService


@attrs.frozen
class World:
    """What a call works on: its tag, a client over the server, a session, and a local folder."""

    tag: str
    service: CountingService
    client: Buntime
    session_id: str
    folder: Path

    @property
    def session(self) -> Session:
        """The session, over the server."""
        return self.client.sessions.attach(self.session_id)

    @property
    def direct(self) -> Session:
        """The session, without HTTP."""
        return self.service.client.sessions.attach(self.session_id)

    @property
    def path(self) -> str:
        """The path of the call's file in the session."""
        return f"{self.tag}.txt"

    @property
    def local(self) -> Path:
        """The local file of a transfer."""
        return self.folder / self.path

    def process(self) -> Process:
        """Return the first process of the session, over the server."""
        (process,) = self.direct.processes()
        return Process(self.client._context, self.session_id, process.number, process.pid)

    def content(self) -> str:
        """Return the content of the file ``TAG.txt`` in the session."""
        return self.direct.files.read(self.path)


@attrs.frozen
class Call:
    """A call: ``run`` returns the tag if the result is its own.

    ``repeatable`` calls are retried after a lost response. ``executes`` counts an execution of the tag.
    ``raw`` calls return a body as it arrived, even if it is not the service's. A
    transfer consists of several requests.
    """

    name: str
    run: Callable[[World], object]
    repeatable: bool = True
    executes: bool = False
    streams: bool = False
    raw: bool = False
    is_transfer: bool = False
    prepare: Callable[[World], object] = lambda _: None


def write(world: World) -> object:
    """Write the call's file directly."""
    return world.direct.files.write(world.path, world.tag)


def _serve(world: World) -> object:
    return world.direct.start("serve")


def when(has_tag: bool, world: World) -> object:
    """Return the tag, if the result has it."""
    return world.tag if has_tag else f"not the result of {world.tag}"


def _create(world: World) -> object:
    session = world.client.sessions.create(metadata={"tag": world.tag})
    return when({session.id} == world.service.created[world.tag], world)


def _delete(world: World) -> object:
    world.session.delete()
    return when(world.session_id not in world.service.model.sessions, world)


def printed(text: str) -> str:
    """Return the tag that a program printed."""
    return text[len("ran ") :] if text.startswith("ran ") else f"another output: {text!r}"


def _execute_with_callback(world: World) -> object:
    pieces: list[str] = []
    result = world.session.execute(world.tag, on_stdout=pieces.append)
    return when(result.stdout == "".join(pieces), world) and printed(result.stdout)


def _stream(world: World) -> object:
    with world.session.stream(world.tag) as stream:
        text = "".join(event.text for event in stream)
    return when(stream.result.stdout == text, world) and printed(text)


def _start(world: World) -> object:
    process = world.session.start(world.tag)
    return when([process.pid] == [each.pid for each in world.direct.processes()], world)


def _kill_all(world: World) -> object:
    pids = [process.pid for process in world.direct.processes()]
    return when(list(world.session.kill_all().pids) == pids, world)


def _process_kill(world: World) -> object:
    world.process().kill()
    return when(not world.direct.processes()[0].running(), world)


def _process_logs(world: World) -> object:
    return printed(world.process().logs().stdout)


def start_tagged(world: World) -> Process:
    """Start a process directly, which prints the tag."""
    return world.direct.start(world.tag)


def _file_write(world: World) -> object:
    written = world.session.files.write(world.path, world.tag)
    return when(written.path == world.path and world.content() == world.tag, world)


def _name(path: str) -> str:
    return path[: -len(".txt")]


def _mkdir(world: World) -> object:
    world.session.files.mkdir(world.tag)
    return when(world.direct.files.stat(world.tag).type == "directory", world)


def _move(world: World) -> object:
    world.session.files.move(world.path, "moved.txt")
    return world.direct.files.read("moved.txt")


def _file_delete(world: World) -> object:
    world.session.files.delete(world.path)
    return when(not world.direct.files.exists(world.path), world)


def _upload(world: World) -> object:
    world.local.write_text(world.tag)
    world.session.files.upload(world.local, world.path)
    return world.content()


def _download(world: World) -> object:
    world.local.unlink(missing_ok=True)
    world.session.files.download(world.path, world.local)
    return world.local.read_text()


def _get(world: World) -> object:
    return world.client.request("GET", f"/sessions/{world.session_id}").json()["metadata"]["tag"]


def _post(world: World) -> object:
    body = {"sessionId": world.session_id, "code": world.tag}
    return printed(world.client.request("POST", "/execute", json=body).json()["stdout"])


CALLS = (
    Call("sessions.create", _create),
    Call("session.info", lambda world: world.session.info().metadata["tag"]),
    Call("session.delete", _delete),
    Call("execute", lambda w: printed(w.session.execute(w.tag).stdout), repeatable=False, executes=True),
    Call("execute(on_stdout=)", _execute_with_callback, repeatable=False, executes=True, streams=True),
    Call("stream", _stream, repeatable=False, executes=True, streams=True),
    Call("start", _start, repeatable=False, executes=True),
    Call("call", lambda w: w.session.call("x => x", w.tag), repeatable=False, executes=True),
    Call("kill_all", _kill_all, repeatable=False, prepare=_serve),
    Call("process.logs", _process_logs, prepare=start_tagged),
    Call("process.kill", _process_kill, repeatable=False, prepare=_serve),
    Call("files.write", _file_write),
    Call("files.read", lambda w: w.session.files.read(w.path), prepare=write),
    Call(
        "files.read_bytes",
        lambda w: w.session.files.read_bytes(w.path).decode(),
        prepare=write,
    ),
    Call("files.list", lambda w: "".join(_name(f.path) for f in w.session.files.list()), prepare=write),
    Call(
        "files.list(recursive=True)",
        lambda w: "".join(_name(f.path) for f in w.session.files.list(recursive=True)),
        prepare=write,
    ),
    Call("files.stat", lambda w: _name(w.session.files.stat(w.path).path), prepare=write),
    Call("files.exists", lambda w: when(w.session.files.exists(w.path), w), prepare=write),
    Call("files.mkdir", _mkdir),
    Call("files.move", _move, prepare=write),
    Call("files.delete", _file_delete, prepare=write),
    Call("files.upload", _upload, is_transfer=True),
    Call("files.download", _download, is_transfer=True, prepare=write),
    Call("client.request GET", _get, raw=True),
    Call("client.request POST", _post, repeatable=False, executes=True, raw=True),
)
