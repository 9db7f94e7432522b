"""Code in a sandbox cannot reach the host.

If an attempt could also fail for an unrelated reason, it is first made without isolation, where it must
succeed.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import pytest

from buntime.service.executors import ExecutionOutcome
from buntime.service.machine.executor import BunExecutor
from buntime.service.machine.find import find_bun, find_sandbox
from tests.support.bun import BunSession, read_proc
from tests.support.cases import in_one_test

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sandboxes need Linux")

SECRET = "a secret of the host"
CONNECT = """
import { connect } from "node:net";
const socket = connect(JSON.parse(process.env.ADDRESS));
socket.on("connect", () => { console.log("reached"); process.exit(0) });
socket.on("error", (error) => { console.log(error.code); process.exit(1) });
"""
LIBC = 'import { dlopen } from "bun:ffi"; const { symbols: libc } = dlopen("libc.so.6", {'


@pytest.fixture(scope="module")
def executor() -> Iterator[BunExecutor]:
    """Return an isolating executor."""
    executor = BunExecutor()
    yield executor
    executor.close()


@pytest.fixture(scope="module")
def bare_executor() -> Iterator[BunExecutor]:
    """Return an executor without isolation."""
    executor = BunExecutor(isolation="none")
    yield executor
    executor.close()


@pytest.fixture
def session(executor: BunExecutor, tmp_path: Path) -> Iterator[BunSession]:
    """Return an isolated session."""
    session = BunSession.open(executor, tmp_path / "inside")
    yield session
    session.runtime.close()
    assert set() == session.host_pids()


@pytest.fixture
def bare(bare_executor: BunExecutor, tmp_path: Path) -> Iterator[BunSession]:
    """Return a session without isolation, in which the attempts succeed."""
    session = BunSession.open(bare_executor, tmp_path / "bare")
    yield session
    session.runtime.close()


def _assert_failed(outcome: ExecutionOutcome) -> None:
    assert outcome.exit_code != 0
    assert outcome.stdout == ""


class TestFiles:
    def test_a_file_of_the_host(self, session: BunSession, bare: BunSession, tmp_path: Path) -> None:
        """A file outside of the workspace does not exist."""
        secret = tmp_path / "secret"
        secret.write_text(SECRET)

        assert bare.sh(f"cat {secret}").stdout == SECRET
        _assert_failed(session.sh(f"cat {secret}"))

    @in_one_test("path", ["/etc/shadow", "/etc/hostname", "/root", "/usr/local/lib", "/var", "/sys", "/opt"])
    def test_a_folder_of_the_host(self, session: BunSession, path: str) -> None:
        """Private folders of the host do not exist."""
        _assert_failed(session.sh(f"ls -A {path}"))

    def test_the_home(self, session: BunSession) -> None:
        """The user's home does not exist, and the session's home is empty."""
        assert session.sh(f"cd {Path.home()} 2>/dev/null && ls -A; ls -A /home").stdout == ""

    def test_another_session(self, executor: BunExecutor, session: BunSession, tmp_path: Path) -> None:
        """Another session's workspace, temporary files and processes are invisible."""
        other = BunSession.open(executor, tmp_path / "other", name="ses_2")
        try:
            other.sh(f"echo '{SECRET}' | tee file /tmp/other; sleep 1000 &")

            _assert_failed(session.sh(f"cat {other.workspace}/file"))
            _assert_failed(session.sh("cat /tmp/other"))
            session.sh("kill -9 -1")
            assert other.runtime.processes() == 1
        finally:
            other.runtime.close()

    def test_a_link_to_the_host(self, session: BunSession, tmp_path: Path) -> None:
        """A link in the workspace to a file of the host is dangling inside the sandbox."""
        secret = tmp_path / "secret"
        secret.write_text(SECRET)
        (session.workspace / "link").symlink_to(secret)

        assert (session.workspace / "link").read_text() == SECRET
        _assert_failed(session.sh("cat link"))

    @in_one_test("path", ["/usr/bin", "/usr/lib", "/etc", "/usr/local/bin", "/run/buntime", "/dev", "/"])
    def test_the_system_is_read_only(self, session: BunSession, path: str) -> None:
        """The system's folders are read-only."""
        _assert_failed(session.sh(f"touch {path}/planted"))

    def test_bun_is_read_only(self, executor: BunExecutor, session: BunSession) -> None:
        """The Bun that every session runs cannot be replaced or changed."""
        before = Path(executor.bun).stat()

        _assert_failed(session.sh('echo > "$(command -v bun)"'))
        _assert_failed(session.sh('rm -f "$(command -v bun)"'))

        after = Path(executor.bun).stat()
        assert (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)

    def test_temporary_files_are_bounded(self, executor: BunExecutor, tmp_path: Path) -> None:
        """A session cannot fill the host's memory through its temporary file systems."""
        session = BunSession.open(executor, tmp_path / "small", name="ses_3", disk=2)
        try:
            for folder in ("/tmp", "/home", "/dev/shm"):
                outcome = session.sh(
                    f"for i in 1 2 3 4; do head -c 1000000 /dev/zero > {folder}/$i || exit 9; done"
                )
                assert outcome.exit_code == 9
        finally:
            session.runtime.close()


class TestEnvironment:
    def test_the_environment_of_the_host(
        self, session: BunSession, bare: BunSession, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No process sees a variable of the host; without isolation, the session's processes do not."""
        planted = uuid.uuid4().hex
        monkeypatch.setenv("PLANTED", planted)
        monkeypatch.setenv("BUNTIME_API_KEY", planted)

        outcome = session.sh("env; cat /proc/[0-9]*/environ /proc/self/environ")

        assert "HOME=/home" in outcome.stdout
        assert planted not in outcome.stdout
        assert planted not in bare.sh("env; cat /proc/self/environ /proc/$PPID/environ").stdout

    def test_user_and_host_names(self, session: BunSession) -> None:
        """The sandbox has its own user and host names."""
        assert session.sh("id -un; uname -n").stdout == "sandbox\nbuntime\n"


class TestProcesses:
    def test_processes_of_the_host(self, session: BunSession, bare: BunSession) -> None:
        """A process of the host can be neither seen nor signalled."""
        sign = f"86400.{uuid.uuid4().int % 10**9}"
        with subprocess.Popen(["/bin/sleep", sign]) as host:
            try:
                assert str(host.pid) in bare.sh(f"grep -lF {sign} /proc/[0-9]*/cmdline").stdout
                assert sign not in session.sh("cat /proc/[0-9]*/cmdline").stdout
                session.sh(f"kill -9 {host.pid}")
                session.sh("kill -9 -1")
                assert host.poll() is None
            finally:
                host.kill()

    def test_visible_processes(self, session: BunSession) -> None:
        """A session sees its supervisor and its own programs only."""
        assert session.sh("echo /proc/[0-9]*").stdout.split()[0] == "/proc/1"
        assert int(session.sh("ls -d /proc/[0-9]* | wc -l").stdout) <= 5

    @pytest.mark.parametrize("target", ["1", "-1"])
    def test_the_supervisor_cannot_be_killed(self, session: BunSession, target: str) -> None:
        """The session survives every signal from inside."""
        for name in ("STOP", "KILL"):
            session.sh(f"(exec setsid sh -c 'kill -{name} {target}')", timeout=2)

        assert session.sh("echo on").stdout == "on\n"

    @in_one_test("name", ["fd/0", "fd/1", "mem", "environ", "cwd/etc"])
    def test_the_supervisor_cannot_be_reached(self, session: BunSession, name: str) -> None:
        """The supervisor's pipes and memory are inaccessible, so no response can be forged."""
        _assert_failed(session.sh(f"ls -L /proc/1/{name} >/dev/null && cat /proc/1/{name}"))
        _assert_failed(session.sh(f"echo '{{}}' > /proc/1/{name}"))

    def test_the_end_of_the_sandbox(self, session: BunSession) -> None:
        """No process outlives a session, wherever it hides."""
        ready = "sh -c 'trap \"\" TERM HUP INT; : > $0; exec sleep 1000'"
        wait = "until [ -e 1 ] && [ -e 2 ] && [ -e 3 ]; do sleep 0.01; done"
        session.sh(f"(setsid setsid {ready} 1 &); setsid {ready} 2 & {ready} 3 & {wait}")
        inside = session.wait_for_pids(3)

        session.runtime.close()

        assert not any(read_proc(pid, "stat") for pid in inside)

    def test_a_changed_tag(self, session: BunSession) -> None:
        """A process with a changed tag does not escape the time limit."""
        session.sh("(ulimit -m 5000; exec setsid sleep 1000) & sleep 1000", timeout=1)

        assert session.runtime.processes() == 0


class TestNetwork:
    @pytest.fixture
    def server(self) -> Iterator[socket.socket]:
        """Return a server on the host's loopback."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.setblocking(False)
            yield server

    @staticmethod
    def _address(server: socket.socket) -> dict[str, str]:
        return {"ADDRESS": f'{{"host": "127.0.0.1", "port": {server.getsockname()[1]}}}'}

    def test_the_hosts_loopback(self, session: BunSession, bare: BunSession, server: socket.socket) -> None:
        """A server on the host's loopback is unreachable."""
        assert bare.run(CONNECT, env=self._address(server)).stdout == "reached\n"
        server.accept()[0].close()

        assert session.run(CONNECT, env=self._address(server)).stdout == "ECONNREFUSED\n"
        with pytest.raises(BlockingIOError):
            server.accept()

    def test_network_on_request(self, tmp_path: Path, server: socket.socket) -> None:
        """With ``network=True`` the server is reachable, and everything else stays closed."""
        executor = BunExecutor(network=True)
        session = BunSession.open(executor, tmp_path / "w")
        try:
            assert session.run(CONNECT, env=self._address(server)).stdout == "reached\n"
            server.accept()[0].close()
            _assert_failed(session.sh(f"ls {tmp_path}"))
        finally:
            executor.close()

    def test_no_network_interface(self, session: BunSession) -> None:
        """The only interface is the sandbox's own loopback."""
        lines = session.sh("cat /proc/net/dev").stdout.splitlines()[2:]

        assert ["lo"] == [line.split(":")[0].strip() for line in lines]

    @pytest.mark.parametrize("kind", ["abstract", "file"])
    def test_sockets_of_the_host(
        self, session: BunSession, bare: BunSession, tmp_path: Path, kind: str
    ) -> None:
        """A Unix socket of the host is unreachable, by path and by abstract name."""
        folder = tempfile_name(kind)
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("\0" + folder if kind == "abstract" else folder)
            server.listen()
            server.setblocking(False)
            address = '{"path": "%s"}' % (("\\u0000" if kind == "abstract" else "") + folder)

            assert bare.run(CONNECT, env={"ADDRESS": address}).stdout == "reached\n"
            server.accept()[0].close()
            assert session.run(CONNECT, env={"ADDRESS": address}).exit_code == 1
            with pytest.raises(BlockingIOError):
                server.accept()
        Path(folder).unlink(missing_ok=True)


def tempfile_name(kind: str) -> str:
    """Return a short name for a socket."""
    return f"{os.environ['TMPDIR']}/{kind}-{os.getpid()}"


class TestKernel:
    @in_one_test("name", ["kernel/core_pattern", "kernel/hostname", "vm/drop_caches", "fs/file-max"])
    def test_settings_of_the_kernel(self, session: BunSession, name: str) -> None:
        """No setting of the host's kernel can be written, even if the host's user is root."""
        setting = Path("/proc/sys", name)
        readable = os.access(setting, os.R_OK)
        before = setting.read_bytes() if readable else b""

        _assert_failed(session.sh(f"echo 1 > {setting}"))

        assert (setting.read_bytes() if readable else b"") == before

    @in_one_test(
        "command",
        [
            "mknod node c 1 3",
            "mount -t tmpfs none /tmp",
            "mount --bind / /tmp",
            "mount -o remount,rw /usr/bin",
            "chroot / true",
        ],
    )
    def test_privileged_calls(self, session: BunSession, command: str) -> None:
        """Devices and mounts fail."""
        _assert_failed(session.sh(command))

    def test_user_namespaces(self, session: BunSession) -> None:
        """A new user namespace, in which a process would become root again, cannot be created."""
        code = LIBC + 'unshare: { args: ["i32"], returns: "i32" } }); console.log(libc.unshare(0x10000000))'

        assert session.run(code).stdout == "-1\n"

    def test_capabilities(self, session: BunSession) -> None:
        """No process has a capability, or can gain one."""
        status = session.sh("grep -hE '^(Cap|NoNewPrivs)' /proc/self/status").stdout.split()

        assert {"0000000000000000"} == {
            value for name, value in zip(status[::2], status[1::2]) if "Cap" in name
        }
        assert status[-2:] == ["NoNewPrivs:", "1"]

    def test_processes_are_bounded_for_an_unprivileged_user(self, tmp_path: Path) -> None:
        """An unprivileged user's session cannot start unlimited processes, and survives the attempt."""
        output = _as_nobody(_many_processes)

        assert output == "limited, 0 processes, on"


def _many_processes(executor: BunExecutor, workspace: Path) -> str:
    session = BunSession.open(executor, workspace)
    # Each shell waits for a writer: it costs less than a program such as sleep.
    outcome = session.sh("mkfifo none; i=0; while [ $i -lt 1100 ]; do : <none & i=$((i+1)); done")
    limited = "limited" if outcome.exit_code != 0 else "not limited"
    session.runtime.kill(None)
    return f"{limited}, {session.runtime.processes()} processes, {session.sh('echo on').stdout.strip()}"


def _as_nobody(function: Callable[[BunExecutor, Path], str]) -> str:
    """Return the result of a function that runs unprivileged, on readable copies of Bun and bubblewrap."""
    folder = Path(os.environ["TMPDIR"], f"nobody-{os.getpid()}")
    bun = find_bun(None, os.environ)
    bwrap = Path(find_sandbox(bun, os.environ).bwrap)
    folder.mkdir()
    try:
        # The wheel's bwrap loads its library from two folders up.
        for name in (Path(bwrap).parent.parent.name, f"{bwrap.parent.parent.name}.libs"):
            if (bwrap.parents[2] / name).is_dir() and bwrap.parent.name == "_bin":
                shutil.copytree(bwrap.parents[2] / name, folder / name)
        copy = folder / bwrap.relative_to(bwrap.parents[2])
        if not copy.exists():
            copy.parent.mkdir(parents=True)
            shutil.copy2(bwrap, copy)
        shutil.copy2(bun, folder / "bun")
        (folder / "own").mkdir()
        if os.getuid() == 0:
            folder.parent.chmod(0o711)
            os.chown(folder / "own", 65534, 65534)
        return _in_a_fork(function, folder, copy.parent)
    finally:
        shutil.rmtree(folder)


def _in_a_fork(function: Callable[[BunExecutor, Path], str], folder: Path, path: Path) -> str:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        output = "nothing"
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            import tempfile

            tempfile.tempdir = str(folder / "own")
            executor = BunExecutor(bun=folder / "bun", environ={"PATH": str(path)})
            output = function(executor, folder / "own" / "w")
            executor.close()
        except BaseException as error:
            output = repr(error)
        finally:
            os.write(writing, output.encode())
            os.kill(os.getpid(), signal.SIGKILL)
    os.close(writing)
    with open(reading, "rb") as file:
        output = file.read().decode()
    os.waitpid(child, 0)
    return output
