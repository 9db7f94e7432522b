"""Files, snapshots and blueprints, over each transport."""

from __future__ import annotations

import json

import pytest

from tests.runloop.wire import Wire

BINARY = bytes(range(256)) + b"\r\n--x\r\n"


def upload(wire: Wire, devbox: str, path: str, content: bytes) -> int:
    """Send a form as the official clients do; return the status."""
    body = (
        b'--x1\r\nContent-Disposition: form-data; name="path"\r\n\r\n'
        + path.encode()
        + b'\r\n--x1\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n'
        + b"Content-Type: application/octet-stream\r\n\r\n"
        + content
        + b"\r\n--x1--\r\n"
    )
    headers = {"Content-Type": "multipart/form-data; boundary=x1"}
    response = wire.send("POST", f"{devbox}/upload_file", content=body, headers=headers)
    response.close()
    return response.status


def read(wire: Wire, devbox: str, path: str) -> bytes:
    """Download a file."""
    response = wire.send("POST", f"{devbox}/download_file", {"path": path})
    assert (200, "application/octet-stream") == (response.status, response.headers["Content-Type"])
    return response.read()


def test_text(wire: Wire) -> None:
    """Folders are made, and relative, home and absolute paths name the same file."""
    devbox = wire.create()
    view = wire.post(f"{devbox}/write_file_contents", file_path="a/b.txt", contents="é☃\n")
    assert 0 == view["exit_status"]
    for path in ("a/b.txt", "~/a/b.txt", "/home/user/a/b.txt", "a/../a/./b.txt", "/tmp/../home/user/a/b.txt"):
        response = wire.send("POST", f"{devbox}/read_file_contents", {"file_path": path})
        assert response.headers["Content-Type"].startswith("text/plain")
        assert "é☃\n" == response.read().decode()
    assert "é☃\n" == wire.execute(devbox, "cat a/b.txt")["stdout"]


def test_bytes(wire: Wire) -> None:
    """Every byte arrives, also those that look like the form's own."""
    devbox = wire.create()
    for path in ("b.bin", "/tmp/deep/b.bin"):
        assert 200 == upload(wire, devbox, path, BINARY)
        assert BINARY == read(wire, devbox, path)
    assert 200 == upload(wire, devbox, "empty", b"")
    assert b"" == read(wire, devbox, "empty")


def test_bad_paths(wire: Wire) -> None:
    """A missing file, a folder and a file in the place of a folder are 400; other folders are 501."""
    devbox = wire.create()
    wire.post(f"{devbox}/write_file_contents", file_path="a/b.txt", contents="")
    expected = {
        "none": 400,
        "a": 400,
        "a/b.txt/c": 400,
        "a\0b": 400,
        "/etc/passwd": 501,
        "../x": 501,
        "": 400,
    }
    for path, status in expected.items():
        assert status == wire.refused(f"{devbox}/download_file", path=path)[0], path
    assert 400 == upload(wire, devbox, "a/b.txt/c", b"x")


@pytest.mark.parametrize(
    "form", [b"", b"--x1", b"--x1\r\n\r\n", b"--x1--\r\n", b"--x1\r\nA: b\r\n\r\nv\r\n--x1--"]
)
def test_a_broken_form_is_a_400(wire: Wire, form: bytes) -> None:
    """Whatever is missing."""
    devbox = wire.create()
    headers = {"Content-Type": "multipart/form-data; boundary=x1"}
    response = wire.send("POST", f"{devbox}/upload_file", content=form, headers=headers)
    assert 400 == response.status
    assert json.loads(response.read())["message"]


def test_a_snapshot_has_the_disk(wire: Wire) -> None:
    """With /tmp and without processes; the devboxes are independent afterwards."""
    devbox = wire.create()
    wire.post(f"{devbox}/write_file_contents", file_path="a/b.txt", contents="old")
    upload(wire, devbox, "/tmp/t.bin", BINARY)
    snapshot = wire.post(f"{devbox}/snapshot_disk", name="s", commit_message="m", metadata={"k": "v"})
    assert ("s", "m", {"k": "v"}) == (snapshot["name"], snapshot["commit_message"], snapshot["metadata"])
    assert len(BINARY) + 3 <= snapshot["size_bytes"]
    wire.post(f"{devbox}/write_file_contents", file_path="a/b.txt", contents="new")
    wire.post(f"{devbox}/shutdown")
    clone = wire.create(snapshot_id=snapshot["id"])
    assert snapshot["id"] == wire.get(clone)["snapshot_id"]
    assert "old" == wire.execute(clone, "cat a/b.txt")["stdout"]
    assert BINARY == read(wire, clone, "/tmp/t.bin")


def test_snapshots_are_listed_updated_and_deleted(wire: Wire) -> None:
    """A deleted one is still readable, but makes no devbox."""
    devbox = wire.create()
    begun = wire.post(f"{devbox}/snapshot_disk_async", metadata={"k": "v"})
    other = wire.post(f"{wire.create()}/snapshot_disk")
    path = f"/devboxes/disk_snapshots/{begun['id']}"
    while "complete" != wire.get(f"{path}/status")["status"]:
        wire.send(
            "POST", f"{devbox}/wait_for_status", {"statuses": ["shutdown"], "timeout_seconds": 1}
        ).close()
    listed = [row["id"] for row in wire.get("/devboxes/disk_snapshots")["snapshots"]]
    assert [other["id"], begun["id"]] == listed[:2]
    devbox_id = devbox.rpartition("/")[2]
    for query in ({"devbox_id": devbox_id}, {"devbox_id": devbox_id, "metadata[k]": "v"}):
        rows = wire.get("/devboxes/disk_snapshots", **query)["snapshots"]
        assert [begun["id"]] == [row["id"] for row in rows]
    assert (
        [] == wire.get("/devboxes/disk_snapshots", devbox_id=devbox_id, **{"metadata[k]": "x"})["snapshots"]
    )
    assert ("n", {"k": "v"}) == (wire.post(path, name="n")["name"], wire.post(path)["metadata"])
    assert {} == wire.post(f"{path}/delete")
    assert "deleted" == wire.get(f"{path}/status")["status"]
    assert 409 == wire.refused(f"{path}/delete")[0]
    assert 400 == wire.refused("/devboxes", snapshot_id=begun["id"])[0]


def test_a_blueprint_gives_its_parameters(wire: Wire) -> None:
    """Files and launch parameters; a deleted one is readable, but makes no devbox."""
    body = {"file_mounts": {"/home/user/f.txt": "F"}, "launch_parameters": {"keep_alive_time_seconds": 60}}
    blueprint = wire.post("/blueprints", name="base", metadata={"k": "v"}, **body)
    path = f"/blueprints/{blueprint['id']}"
    for _ in range(20):
        if "build_complete" == wire.get(path)["status"]:
            break
        getattr(wire.transport, "advance", lambda seconds: None)(1)
    view = wire.get(path)
    assert ("base", "created", {"k": "v"}) == (view["name"], view["state"], view["metadata"])
    devbox = wire.create(blueprint_name="base")
    assert b"F" == read(wire, devbox, "f.txt")
    view = wire.get(devbox)
    assert (blueprint["id"], 60) == (
        view["blueprint_id"],
        view["launch_parameters"]["keep_alive_time_seconds"],
    )
    snapshot = wire.post(f"{devbox}/snapshot_disk")
    assert blueprint["id"] == snapshot["source_blueprint_id"]
    assert 400 == wire.refused(f"{path}/delete")[0]
    wire.post(f"/devboxes/disk_snapshots/{snapshot['id']}/delete")
    assert blueprint["id"] in {row["id"] for row in wire.get("/blueprints", name="base")["blueprints"]}
    assert {} == wire.post(f"{path}/delete")
    assert "deleted" == wire.get(path)["state"]
    assert 400 == wire.refused("/devboxes", blueprint_id=blueprint["id"])[0]
    assert [] == wire.get("/blueprints/list_public")["blueprints"]
