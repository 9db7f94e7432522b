"""A mounted archive lost its empty folders, and an archive of nothing but them made no folder at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from buntime.runloop import RunloopSDK
from buntime.transport import FakeTransport, LocalTransport, ScriptedExecution, Transport

COMMAND = "find app | sort"


def _fake() -> FakeTransport:
    def find(run: ScriptedExecution) -> str:
        folders = ["app", *(f"app/{entry.path.rpartition('/')[2]}" for entry in run.workspace.list("app"))]
        return "".join(f"{path}\n" for path in [*folders, "app/logs/old"])

    fake = FakeTransport()
    fake.on_execute(command=COMMAND, handler=find)
    return fake


@pytest.mark.parametrize("make", [_fake, LocalTransport], ids=["fake", "local"])
def test_empty_folders_are_created(make: type[Transport], tmp_path: Path) -> None:
    """As by tar."""
    (tmp_path / "logs" / "old").mkdir(parents=True)
    with RunloopSDK(transport=make()) as runloop:
        stored = runloop.storage_object.upload_from_dir(tmp_path)
        mount = {"type": "object_mount", "object_id": stored.id, "object_path": "app"}
        with runloop.devbox.create(mounts=[mount]) as devbox:
            assert "app\napp/logs\napp/logs/old\n" == devbox.cmd.exec(COMMAND).stdout()


def test_a_folder_in_the_place_of_a_file_is_an_error(tmp_path: Path) -> None:
    """The devbox is not created."""
    (tmp_path / "a").mkdir()
    with RunloopSDK(transport=FakeTransport(), max_retries=0) as runloop:
        stored = runloop.storage_object.upload_from_dir(tmp_path)
        mount = {"type": "object_mount", "object_id": stored.id, "object_path": "app"}
        with pytest.raises(runloop.APIError, match="app/a: a file is in the place of a directory"):
            runloop.devbox.create(mounts=[mount], file_mounts={"app/a": "x"})
