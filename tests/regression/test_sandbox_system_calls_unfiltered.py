"""A sandbox could read and add keys in the host's key ring, and open sockets to the hypervisor."""

from __future__ import annotations

import errno
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from buntime.service.machine.executor import BunExecutor
from buntime.service.machine.seccomp import ABSENT, FORBIDDEN
from tests.support.bun import BunSession
from tests.support.cases import in_one_test

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sandboxes need Linux")

COLUMN = 1 if platform.machine() in ("aarch64", "arm64") else 0
SYSCALL = """
import { dlopen, read } from "bun:ffi";
const library = process.arch === "arm64" ? "aarch64" : "x86_64";
const symbols = {
  __errno_location: { args: [], returns: "ptr" },
  syscall: { args: Array(7).fill("i64"), returns: "i64" },
};
const open = (name) => { try { return dlopen(name, symbols).symbols } catch { return null } };
const libc = open("libc.so.6") ?? open(`libc.musl-${library}.so.1`);
const call = (...words) => {
  const result = Number(libc.syscall(...words, ...Array(7 - words.length).fill(-1)));
  return result < 0 ? read.i32(libc.__errno_location()) : 0;
};
"""
PROGRAMS = {
    "files": """
        await Bun.write("a/b.txt", "x");
        const [entry] = require("node:fs").readdirSync("a", { withFileTypes: true });
        console.log(await Bun.file("a/b.txt").text(), entry.isFile());  // x true
    """,
    "a server": """
        const server = Bun.serve({ port: 0, fetch: () => new Response("ok") });
        console.log(await (await fetch(server.url)).text());  // ok
        server.stop();
    """,
    "sqlite": """
        import { Database } from "bun:sqlite";
        const db = new Database("x.db");
        db.run("pragma journal_mode = wal");
        db.run("create table t (n)");
        db.run("insert into t values (7)");
        console.log(db.query("select n from t").get().n);  // 7
    """,
    "workers": """
        const worker = new Worker(URL.createObjectURL(new Blob(["postMessage(40 + 2)"])));
        worker.onmessage = (event) => (worker.terminate(), console.log(event.data));  // 42
    """,
    "processes": """
        import { $ } from "bun";
        const counted = Bun.spawnSync(["wc", "-c"], { stdin: Buffer.from("y".repeat(300_000)) }).stdout;
        const second = require("node:child_process").execSync("echo two");
        const words = [`${counted}`, await $`echo one | cat`.text(), `${second}`].map((text) => text.trim());
        console.log(...words);  // 300000 one two
    """,
    "packages": """
        await Bun.write("p/package.json", JSON.stringify({ name: "p", version: "1.0.0" }));
        await Bun.write("package.json", JSON.stringify({ dependencies: { p: "file:./p" } }));
        const { exitCode } = Bun.spawnSync(["bun", "install", "--silent"]);
        console.log(exitCode, (await Bun.file("node_modules/p/package.json").json()).version);  // 0 1.0.0
    """,
    "hashes, names and timers": """
        const hash = require("node:crypto").createHash("sha256").update("").digest("hex");
        const { networkInterfaces } = require("node:os");
        const late = await new Promise((done) => setTimeout(done, 1, "late"));
        console.log(hash.slice(0, 4), typeof networkInterfaces(), late);  // e3b0 object late
    """,
}
PYTHON = """
import multiprocessing.dummy, socket, sqlite3, subprocess, tempfile, threading
print(subprocess.run(["echo", "one"], capture_output=True, text=True).stdout.strip())
print(multiprocessing.dummy.Pool(2).map(abs, [-1, -2]))
print(sqlite3.connect(":memory:").execute("select 3").fetchone())
a, b = socket.socketpair(); a.send(b"x"); print(b.recv(1), socket.socket().fileno() > 0)
with tempfile.TemporaryFile() as file: print(file.write(b"12"))
"""


@pytest.fixture
def session(tmp_path: Path) -> Iterator[BunSession]:
    """Return an isolated session."""
    executor = BunExecutor()
    yield BunSession.open(executor, tmp_path / "w")
    executor.close()


def test_listed_system_calls_fail(session: BunSession) -> None:
    """Both lists are rejected, before the kernel checks the arguments."""
    for calls, code in ((FORBIDDEN, errno.EPERM), (ABSENT, errno.ENOSYS)):
        numbers = ", ".join(str(columns[COLUMN]) for columns in calls.values() if columns[COLUMN] >= 0)
        outcome = session.run(f"{SYSCALL}console.log(...new Set([{numbers}].map((n) => call(n))))")
        assert (f"{code}\n", "") == (outcome.stdout, outcome.stderr)


def test_only_local_and_internet_sockets_open(session: BunSession) -> None:
    """AF_VSOCK (40) reaches the host of a virtual machine, and AF_ALG (38) its kernel."""
    socket = (41, 198)[COLUMN]
    outcome = session.run(
        f"{SYSCALL}console.log(...[40, 38, 17, 1, 2, 10].map((n) => call({socket}, n, 1, 0)))"
    )

    assert outcome.stdout == "97 97 97 0 0 0\n"  # EAFNOSUPPORT


def test_memory_that_would_not_count(session: BunSession) -> None:
    """Huge pages are in no resident size, and pages that a program swaps out leave it."""
    mmap, shmget, madvise = ((9, 29, 28), (222, 194, 233))[COLUMN]
    attempts = [
        (mmap, 0, 4096, 3, 0x40022, -1, 0),
        (shmget, 1, 4096, 0o4600),
        (madvise, 0, 0, 21),
        (mmap, 0, 4096, 3, 0x22, -1, 0),
        (madvise, 0, 0, 4),
    ]
    outcome = session.run(f"{SYSCALL}console.log(...{[*map(list, attempts)]}.map((words) => call(...words)))")

    assert (f"{errno.ENOMEM} {errno.EPERM} {errno.EPERM} 0 0\n", "") == (outcome.stdout, outcome.stderr)


@in_one_test("kind", PROGRAMS)
def test_programs_run(session: BunSession, kind: str) -> None:
    """Every kind of program still works."""
    outcome = session.run(PROGRAMS[kind])

    assert (PROGRAMS[kind].partition(";  // ")[2].partition("\n")[0] + "\n", "") == (
        outcome.stdout,
        outcome.stderr,
    )


def test_shells_run(session: BunSession) -> None:
    """Pipes, jobs, limits and signals still work."""
    jobs = "sleep 100 & kill $!; wait; (ulimit -n 10; seq 5 | sort -r | head -n 1)"
    outcome = session.sh(f"{jobs}; mkfifo p && ls -l p | cut -c1")

    assert ("5\np\n", "") == (outcome.stdout, outcome.stderr)


@pytest.mark.skipif(not shutil.which("python3", path="/usr/bin:/bin"), reason="the system has no Python")
def test_python_runs(session: BunSession) -> None:
    """Processes, threads, sockets and files of Python still work."""
    (session.workspace / "x.py").write_text(PYTHON)
    outcome = session.sh("python3 x.py")

    assert ("one\n[1, 2]\n(3,)\nb'x' True\n2\n", "") == (outcome.stdout, outcome.stderr)
