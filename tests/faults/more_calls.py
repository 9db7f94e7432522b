"""The calls that consist of others: their requests are those of ``CALLS``, their outcomes are their own."""

from __future__ import annotations

import io
import tarfile
from typing import Callable

from buntime import Repl
from tests.faults.calls import Call, World, printed, start_tagged, when, write


def _after(
    act: Callable[[World], object], check: Callable[[World], bool] = lambda _: True
) -> Callable[[World], object]:
    """Return a call without a result of its own; ``check`` sees its effect."""
    return lambda world: (act(world), when(check(world), world))[1]


def _has_ended(world: World) -> bool:
    return not world.direct.processes()[0].running()


def _start_with_stdin(world: World) -> object:
    return world.direct.start(world.tag, stdin=True)


def _close_stdin(world: World) -> object:
    world.process().close_stdin()
    return printed(world.direct.processes()[0].logs().stdout)


def _process_write(world: World) -> object:
    world.process().write(world.tag)
    (process,) = world.direct.processes()
    process.close_stdin()
    return printed(process.logs().stdout)


def _end(world: World) -> None:
    start_tagged(world).kill()


def _kill(world: World) -> object:
    pid = world.process().pid
    return when(list(world.session.kill(pid).pids) == [pid], world)


def _repl(world: World) -> Repl:
    """Return a REPL whose process was started directly, so that only the evaluation meets the fault."""
    repl = world.session.repl()
    repl._process = world.process()
    return repl


def _whole_repl(world: World) -> object:
    with world.session.repl() as repl:
        return repl.call("x => x", world.tag)


def _open_to_write(world: World) -> object:
    with world.session.files.open(world.path, "w") as file:
        file.write(world.tag)
    return world.content()


def _open_to_read(world: World) -> object:
    with world.session.files.open(world.path) as file:
        return file.read()


def _snapshot(world: World) -> object:
    archive = io.BytesIO()
    world.session.snapshot(archive)
    archive.seek(0)
    with tarfile.open(fileobj=archive) as members:
        file = members.extractfile(world.path)
        return file and file.read().decode()


def _restore(world: World) -> object:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as members:
        member = tarfile.TarInfo(world.path)
        member.size = len(world.tag)
        members.addfile(member, io.BytesIO(world.tag.encode()))
    archive.seek(0)
    world.session.restore(archive)
    return world.content()


def _renew(world: World) -> object:
    renewed = world.session.renew(metadata={"tag": world.tag})
    files = world.service.client.sessions.attach(renewed.id).files
    return when({renewed.id} == world.service.created[world.tag], world) and files.read(world.path)


def _copy(world: World) -> object:
    world.session.files.copy(world.path, "copy.txt")
    return world.direct.files.read("copy.txt")


def _append(world: World) -> object:
    world.session.files.append(world.path, world.tag)
    return world.content()


def _folder_up(world: World) -> object:
    folder = world.folder / "up"
    folder.mkdir(exist_ok=True)
    (folder / world.path).write_text(world.tag)
    world.session.files.upload(folder, "")
    return world.content()


def _folder_down(world: World) -> object:
    world.local.unlink(missing_ok=True)
    world.session.files.download("", world.folder)
    return world.local.read_text()


def _walk(world: World) -> str:
    return "".join(name[:-4] for _, _, files in world.session.files.walk() for name in files)


def _watch(world: World) -> str:
    with world.session.files.watch() as events:
        write(world)
        return next(events).path[:-4]


MORE_CALLS = (
    Call("session.processes", lambda w: when(len(w.session.processes()) == 1, w), prepare=start_tagged),
    Call(
        "session.kill",
        _after(lambda w: w.session.kill(w.process().pid), _has_ended),
        False,
        prepare=start_tagged,
    ),
    Call("wait_for_port", _after(lambda w: w.session.wait_for_port(80)), prepare=start_tagged),
    Call("wait_for_http", _after(lambda w: w.session.wait_for_http(80))),
    Call("fetch GET", lambda w: w.session.fetch(80, f"/{w.tag}").text),
    Call("fetch POST", lambda w: w.session.fetch(80, f"/{w.tag}", method="POST").text, False, True),
    Call("execute(stdin=)", lambda w: printed(w.session.execute("x", stdin=w.tag).stdout), False, True),
    Call("process.wait", _after(lambda w: w.process().wait()), prepare=_end),
    Call("process.follow", lambda w: printed("".join(e.text for e in w.process().follow())), prepare=_end),
    Call("process.write", _process_write, is_transfer=True, prepare=_start_with_stdin),
    Call("process.close_stdin", _close_stdin, prepare=_start_with_stdin),
    Call("repl", _whole_repl, repeatable=False),
    Call("repl.call", lambda w: _repl(w).call("x => x", w.tag), prepare=start_tagged),
    Call("repl.close", _after(lambda w: _repl(w).close(), _has_ended), False, prepare=start_tagged),
    Call("files.copy", _copy, prepare=write),
    Call("files.append", _append, is_transfer=True),
    Call("files.glob", lambda w: "".join(f.path[:-4] for f in w.session.files.glob("*.t?t")), prepare=write),
    Call("files.walk", _walk, prepare=write),
    Call("files.watch", _watch, is_transfer=True),
    Call("files.chmod", _after(lambda w: w.session.files.chmod(w.path, 0o600)), prepare=write),
    Call("files.open to read", _open_to_read, is_transfer=True, prepare=write),
    Call("files.open to write", _open_to_write, is_transfer=True),
    Call("files.upload of a folder", _folder_up, is_transfer=True),
    Call("files.download of a folder", _folder_down, is_transfer=True, prepare=write),
    Call("session.snapshot", _snapshot, is_transfer=True, prepare=write),
    Call("session.restore", _restore, is_transfer=True),
    Call("session.renew", _renew, is_transfer=True, prepare=write),
)
