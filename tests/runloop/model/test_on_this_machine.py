"""Devboxes on this machine: what programs can reach, how they end, and what is left behind."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from buntime import APITimeoutError
from buntime._http import Request
from buntime.service.devboxes import machine
from buntime.transport import HTTPTransport, LocalTransport
from tests.runloop.wire import KEY, Wire, events
from tests.support.serving import buntime_serve


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return the folder of the transport."""
    return tmp_path / "root"


@pytest.fixture
def wire(root: Path) -> Iterator[Wire]:
    """Send requests to a sandbox of this machine."""
    with closing(LocalTransport(root=root)) as transport:
        yield Wire(transport)


def test_unread_output_holds_nothing_up(wire: Wire) -> None:
    """A command with 20 MB of output ends, although only its status is asked for; both ends are stored."""
    devbox = wire.create()
    execution = wire.start(devbox, "yes | head -c 20000000; echo; echo end; touch done")
    while "done" not in wire.execute(devbox, "ls")["stdout"]:
        pass
    view = wire.completed(execution, last_n="2")
    assert ("\nend\n", True) == (view["stdout"], view["stdout_truncated"])


def test_a_sandbox_shows_nothing_of_the_host(wire: Wire, root: Path) -> None:
    """Only the home and /tmp can be written, and there is no way to another devbox."""
    other = wire.create()
    wire.post(f"{other}/write_file_contents", file_path="secret.txt", contents="secret")
    devbox = wire.create()
    commands = {
        "whoami; echo $HOME; pwd": "user\n/home/user\n/home/user\n",
        "touch /x /etc/x /home/x 2>/dev/null; ls -d /x /etc/x /home/x 2>/dev/null": "",
        f"ls {root} 2>/dev/null; ls /home": "user\n",
        "touch a /tmp/b && ls a /tmp/b": "/tmp/b\na\n",
    }
    for command, expected in commands.items():
        assert expected == wire.execute(devbox, command)["stdout"], command


def test_links_do_not_lead_out(wire: Wire) -> None:
    """Neither by the file calls nor by a snapshot."""
    devbox = wire.create()
    wire.execute(devbox, "ln -s /etc out; ln -s /etc/passwd file; ln -s a.txt inside; echo a > a.txt")
    assert 400 == wire.refused(f"{devbox}/download_file", path="out/hostname")[0]
    assert 400 == wire.refused(f"{devbox}/read_file_contents", file_path="file")[0]
    assert b"a\n" == wire.send("POST", f"{devbox}/download_file", {"path": "inside"}).read()
    clone = wire.create(snapshot_id=wire.post(f"{devbox}/snapshot_disk")["id"])
    assert "/etc/passwd\n" == wire.execute(clone, "readlink file")["stdout"]


def test_a_snapshot_of_odd_files(wire: Wire) -> None:
    """Pipes, modes and links are copied, while a program writes."""
    devbox = wire.create()
    wire.execute(
        devbox, "mkfifo pipe; echo x > run; chmod 755 run; ln run hard; mkdir -p deep/er; chmod 500 deep"
    )
    wire.start(devbox, "while true; do echo x > /tmp/changing; rm /tmp/changing; done")
    clone = wire.create(snapshot_id=wire.post(f"{devbox}/snapshot_disk")["id"])
    command = "stat -c '%F %a' pipe run d; ls d; [ run -ef hard ] && echo linked"
    expected = wire.execute(devbox, command)["stdout"]
    assert expected == wire.execute(clone, command)["stdout"]
    assert "linked" in expected


def test_a_lost_supervisor_ends_its_commands(wire: Wire) -> None:
    """The next command starts another, and the log has the reason."""
    devbox = wire.create()
    execution = wire.start(devbox, "echo up; sleep 1000")
    while not wire.get(execution)["stdout"]:
        pass  # its sandbox may still be starting
    queued = [wire.start(devbox, command, shell_name="s") for command in ("sleep 1000", "echo next")]
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    for pid in children:
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            os.kill(int(child), signal.SIGKILL)
    assert 137 == wire.completed(execution)["exit_status"]
    assert 137 == wire.completed(queued[0])["exit_status"]
    assert "next\n" == wire.completed(queued[1])["stdout"]
    messages = [row.get("message", "") for row in wire.get(f"{devbox}/logs")["logs"]]
    assert any(message.startswith("All processes have ended") for message in messages)


@pytest.mark.parametrize(("group", "survivors"), [(False, "1\n"), (True, "0\n")])
def test_kill_ends_the_leader_or_the_group(wire: Wire, group: bool, survivors: str) -> None:
    """Without kill_process_group, the other processes go on."""
    devbox = wire.create()
    execution = wire.start(devbox, "sleep 1000 & wait")
    count = "cat /proc/[0-9]*/comm 2>/dev/null | grep -cx sleep"
    while "1\n" != wire.execute(devbox, count)["stdout"]:
        pass  # a process that was forked has the name of the shell until it becomes the program
    wire.post(f"{execution}/kill", kill_process_group=group)
    assert 137 == wire.completed(execution)["exit_status"]
    assert survivors == wire.execute(devbox, count)["stdout"]


def test_input_that_is_not_read_holds_nothing_up(wire: Wire) -> None:
    """The program can be killed, and others run meanwhile."""
    devbox = wire.create()
    execution = wire.start(devbox, "sleep 1000", attach_stdin=True)
    for _ in range(8):
        wire.post(f"{execution}/send_std_in", text="x" * 1_000_000)
    assert "other\n" == wire.execute(devbox, "echo other")["stdout"]
    wire.post(f"{execution}/kill")
    assert 137 == wire.completed(execution)["exit_status"]


def test_large_input_arrives_in_order(wire: Wire) -> None:
    """With its end."""
    execution = wire.start(wire.create(), "sha256sum", attach_stdin=True)
    for letter in "abc":
        wire.post(f"{execution}/send_std_in", text=letter * 300_000)
    wire.post(f"{execution}/send_std_in", signal="EOF")
    digest = hashlib.sha256(b"".join(letter * 300_000 for letter in (b"a", b"b", b"c"))).hexdigest()
    assert f"{digest}  -\n" == wire.completed(execution)["stdout"]


def test_close_removes_everything(root: Path) -> None:
    """Processes, disks and snapshots; only the folder that was passed stays."""
    transport = LocalTransport(root=root)
    wire = Wire(transport)
    devbox = wire.create()
    wire.start(devbox, "sleep 1000")
    wire.post(f"{devbox}/snapshot_disk")
    wire.post(f"{devbox}/snapshot_disk_async")
    transport.close()
    assert not (root / "devboxes").exists()
    assert [] == [*root.rglob("dbx_*"), *root.rglob("snp_*")]


def test_transports_share_a_root(wire: Wire, root: Path) -> None:
    """The end of one leaves the devboxes of the other alone."""
    devbox = wire.create()
    wire.post(f"{devbox}/write_file_contents", file_path="a.txt", contents="a")
    with closing(LocalTransport(root=root)) as other:
        Wire(other).create()
    assert b"a" == wire.send("POST", f"{devbox}/download_file", {"path": "a.txt"}).read()


def test_a_shut_down_devbox_has_no_disk(wire: Wire, root: Path) -> None:
    """Its folder is removed, also while its programs write."""
    devbox = wire.create()
    wire.start(devbox, "while true; do echo x > $RANDOM; done")
    wire.post(f"{devbox}/shutdown")
    other = wire.create()
    while len(list((root / "devboxes").iterdir())) > 1:
        wire.execute(other, "true")


def test_a_cancelled_snapshot_has_no_disk(wire: Wire, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If its devbox ends before it is complete, its folder is removed too, with the files copied so far."""
    monkeypatch.setattr(machine, "_POLL_AFTER", float("inf"))
    devbox = wire.create()
    wire.post(f"{devbox}/write_file_contents", file_path="a.txt", contents="a")
    snapshot = wire.post(f"{devbox}/snapshot_disk_async")["id"]
    assert (root / "devboxes" / snapshot).is_dir()
    wire.send("POST", f"{devbox}/shutdown", query={"force": "true"}).close()
    assert "error" == wire.get(f"/devboxes/disk_snapshots/{snapshot}/status")["status"]
    assert not (root / "devboxes" / snapshot).exists()


def test_a_hold_obeys_the_read_timeout(wire: Wire) -> None:
    """A client that waits for a shorter time gets its own error."""
    devbox = wire.create()
    request = Request(
        "POST",
        f"/v1{devbox}/wait_for_status",
        headers=(("Authorization", f"Bearer {KEY}"), ("Content-Type", "application/json")),
        body=json.dumps({"statuses": ["shutdown"]}).encode(),
        read_timeout=0.05,
    )
    with pytest.raises(APITimeoutError):
        wire.transport.send(request)


def test_output_arrives_while_the_command_runs(wire: Wire) -> None:
    """A stream does not wait for the end."""
    execution = wire.start(wire.create(), "echo first; read line; echo $line", attach_stdin=True)
    with wire.send("GET", f"{execution}/stream_stdout_updates") as response:
        assert [{"output": "first\n", "offset": 0}] == events(next(response.chunks))
        wire.post(f"{execution}/send_std_in", text="second\n")
        assert [{"output": "second\n", "offset": 6}] == events(b"".join(response.chunks))


def test_many_commands_at_the_same_time(wire: Wire) -> None:
    """Each gets its own output, and one command id runs once, whoever sends it."""
    devbox = wire.create()
    with ThreadPoolExecutor(8) as pool:
        views = list(pool.map(lambda number: wire.execute(devbox, f"echo {number}"), range(16)))
        assert [f"{number}\n" for number in range(16)] == [view["stdout"] for view in views]

        def once(_number: int) -> Any:
            return wire.post(f"{devbox}/execute", command="echo x >> once; wc -l < once", command_id="same")

        assert {"1\n"} == {view["stdout"] for view in pool.map(once, range(8))}


def test_a_hold_makes_room_for_a_command() -> None:
    """With every thread of the server in a hold, another request ends them."""
    with buntime_serve("--threads", "2") as server, closing(HTTPTransport(server.url)) as transport:
        wire = Wire(transport)
        devbox = wire.create()
        execution = wire.start(devbox, "sleep 1000")
        statuses: list[int] = []

        def hold() -> None:
            body = {"statuses": ["completed"]}
            with wire.send("POST", f"{execution}/wait_for_status", body) as response:
                statuses.append(response.status)

        holds = [threading.Thread(target=hold) for _ in range(4)]
        for thread in holds:
            thread.start()
        # The first commands may arrive before the holds.
        while not statuses:
            wire.post(f"{devbox}/execute", command="true", command_id=f"early-{time.monotonic_ns()}")
        wire.post(f"{devbox}/shutdown")
        for thread in holds:
            thread.join()
        assert 408 == statuses[0]


def test_both_services_share_a_server() -> None:
    """Told apart by path; the errors have the form of their service."""
    with buntime_serve("--api-key", KEY) as server, closing(HTTPTransport(server.url)) as transport:
        keys = {"Authorization": f"Bearer {KEY}"}
        devbox = Wire(transport).create()
        headers = (*keys.items(), ("Content-Type", "application/json"))
        session = transport.send(Request("POST", "/sessions/create", headers=headers, body=b"{}"))
        assert json.loads(session.read())["sessionId"].startswith("ses_")
        for path, form in (("/v1/devboxes", {"message", "code"}), ("/sessions/x", {"error"})):
            response = transport.send(Request("GET", path, headers=(("Authorization", "Bearer wrong"),)))
            assert 401 == response.status
            assert form == set(json.loads(response.read()))
        Wire(transport).post(f"{devbox}/shutdown")
