"""Programs bypassed their limits: of memory by kinds that were not counted, of time by changing their tag."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import pytest

from buntime.service.executors import ResourceExceeded
from buntime.service.machine.executor import BunExecutor
from tests.support.bun import BunSession

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits are watched in /proc")

LIBC = """
import { dlopen } from "bun:ffi";
const symbols = {
  memset: { args: ["usize", "i32", "usize"], returns: "ptr" },
  mmap: { args: ["usize", "usize", "i32", "i32", "i32", "i64"], returns: "usize" },
  prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" },
  bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
  close: { args: ["i32"], returns: "i32" },
  connect: { args: ["i32", "ptr", "u32"], returns: "i32" },
  fcntl: { args: ["i32", "i32", "i32"], returns: "i32" },
  listen: { args: ["i32", "i32"], returns: "i32" },
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  socketpair: { args: ["i32", "i32", "i32", "ptr"], returns: "i32" },
  write: { args: ["i32", "ptr", "u64"], returns: "i64" },
  shmat: { args: ["i32", "usize", "i32"], returns: "usize" },
  shmdt: { args: ["usize"], returns: "i32" },
  shmget: { args: ["i32", "usize", "i32"], returns: "i32" },
};
const open = (name) => { try { return dlopen(name, symbols).symbols } catch { return null } };
const libc = open("libc.so.6") ?? open(`libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`);
const SIZE = 90 * 1024 * 1024;
"""
SHARED = """
libc.memset(libc.mmap(0, SIZE, 3, 0x21, -1, 0), 1, SIZE);  // MAP_SHARED | MAP_ANONYMOUS
setInterval(() => {}, 1000);
"""
UNATTACHED = """
for (let n = 0; n < 4; n++) {
  const address = libc.shmat(libc.shmget(0, SIZE, 0o600), 0, 0);
  libc.memset(address, 1, SIZE);
  libc.shmdt(address);
}
await Bun.sleep(20_000);
"""
FILL = """
const block = Buffer.alloc(65_536, 1);
function fill(fd) {
  libc.fcntl(fd, 4, 0o4000);  // F_SETFL, O_NONBLOCK
  while (libc.write(fd, block, block.length) > 0);
}
"""
LOCAL_SOCKETS = """
for (let n = 0, pair = new Int32Array(2); n < 3000 && !libc.socketpair(1, TYPE, 0, pair); n++) {
  fill(pair[0]);
  libc.close(pair[0]);
}
await Bun.sleep(20_000);
"""
INTERNET_SOCKETS = """
const address = Buffer.from([2, 0, 0x30, 0x39, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
const server = libc.socket(2, 1, 0);
libc.bind(server, address, 16);
libc.listen(server, 1000);
for (let n = 0; n < 1000; n++) {
  const fd = libc.socket(2, 1, 0);
  libc.connect(fd, address, 16);
  fill(fd);
}
await Bun.sleep(20_000);
"""
UNREADABLE = "libc.prctl(4, 0, 0, 0, 0);\n"  # PR_SET_DUMPABLE
Open = Callable[..., BunSession]


@pytest.fixture
def open_session(tmp_path: Path) -> Iterator[Open]:
    """Return a function that opens an isolated session."""
    executor = BunExecutor()
    yield lambda **limits: BunSession.open(executor, tmp_path / "w", **limits)
    executor.close()


def assert_killed(session: BunSession, code: str, processes: int = 1) -> None:
    """Check that all programs are killed together for exceeding the memory limit."""
    (session.workspace / "program.ts").write_text(LIBC + code)
    with pytest.raises(ResourceExceeded, match="more than the session's"):
        session.sh("bun program.ts & " * (processes - 1) + "exec bun program.ts", timeout=20)
    assert 0 == session.runtime.processes()


@pytest.mark.parametrize("first", ["", UNREADABLE], ids=["readable", "unreadable"])
def test_memory_shared_by_forks(open_session: Open, first: str) -> None:
    """Shared memory counts for each process that has private memory."""
    assert_killed(open_session(memory=256), first + SHARED, processes=3)


def test_detached_shared_memory(open_session: Open) -> None:
    """Detached shared memory counts for the session."""
    assert_killed(open_session(memory=256), UNATTACHED)


SOCKETS = {
    "streams": f"const TYPE = 1; {LOCAL_SOCKETS}",
    "datagrams": f"const TYPE = 2; {LOCAL_SOCKETS}",
    "packets": f"const TYPE = 5; {LOCAL_SOCKETS}",
    "connections": INTERNET_SOCKETS,
}


@pytest.mark.parametrize("kind", SOCKETS)
def test_sockets_that_nothing_reads(open_session: Open, kind: str) -> None:
    """The bytes in sockets count for the session, also if the sender has closed its end."""
    assert_killed(open_session(memory=160), FILL + SOCKETS[kind])


def test_sockets_of_the_session_that_are_read(open_session: Open) -> None:
    """A server may send more than the session has memory."""
    code = """
    const server = Bun.serve({ port: 0, fetch: () => new Response(new Uint8Array(20 << 20)) });
    let size = 0;
    for (let n = 0; n < 20; n++) size += (await (await fetch(server.url)).arrayBuffer()).byteLength;
    console.log(size >> 20);
    process.exit();
    """
    assert open_session(memory=768).run(code, timeout=60).stdout == "400\n"


def test_memory_of_two_executions(open_session: Open) -> None:
    """The limit applies to the whole session; the execution that uses the most memory is killed."""
    session = open_session(memory=256)
    hold = "globalThis.a = new Uint8Array(%d << 20).fill(1); console.log('on'); await Bun.sleep(20_000)"
    small = session.start(hold % 100)
    next(small)

    with pytest.raises(ResourceExceeded):
        session.run(hold % 180)

    assert 1 == session.runtime.processes()


def test_temporary_files_are_memory(open_session: Open) -> None:
    """Temporary files together are limited to less than the session's memory."""
    session = open_session(memory=128, disk=1024)
    write = "for f in /tmp /home /dev/shm; do head -c 200000000 /dev/zero > $f/x; done"

    assert 90 << 20 <= int(session.sh(f"{write}; cat /*/x /dev/shm/x | wc -c").stdout) <= 96 << 20
    with pytest.raises(ResourceExceeded):
        session.run("console.log(new Uint8Array(60 << 20).fill(1).length); await Bun.sleep(20_000)")


def test_anonymous_memory_files(open_session: Open) -> None:
    """Programs cannot create a memfd."""
    code = "symbols.memfd_create = { args: ['cstring', 'u32'], returns: 'i32' };"
    program = (
        LIBC.replace("const open", f"{code}\nconst open")
        + "console.log(libc.memfd_create(Buffer.from('x\\0'), 0))"
    )

    assert "-1\n" == open_session().run(program).stdout


@pytest.mark.parametrize("limit", ["0", "5000", "1099511627776"])
def test_a_forged_tag(open_session: Open, limit: str) -> None:
    """A process with a forged tag belongs to every execution, and is killed by the next time limit."""
    session = open_session()
    session.sh(f"(ulimit -m {limit}; setsid sleep 1000 &) ; sleep 1000", timeout=1)

    assert 0 == session.runtime.processes()


def test_time_limits_spare_background_processes(open_session: Open) -> None:
    """A background process survives as long as it keeps its tag."""
    session = open_session()
    session.sh("sleep 1000 &")
    session.sh("sleep 1000", timeout=1)

    assert 1 == session.runtime.processes()
