"""If user namespaces were disabled, the error recommended installing bubblewrap, which was installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from buntime.service.machine import find
from buntime.service.machine.find import SetupError, find_bun, find_sandbox

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="bubblewrap is Linux's")

CAUSES = {
    "kernel/apparmor_restrict_unprivileged_userns": ("1", r"AppArmor .*sysctl -w kernel\.apparmor_.*=0"),
    "kernel/unprivileged_userns_clone": ("0", r"sysctl -w kernel\.unprivileged_userns_clone=1"),
    "user/max_user_namespaces": ("0", r"sysctl -w user\.max_user_namespaces=10000"),
}


def failing_bwrap(folder: Path, message: str = "bwrap: setting up uid map: Permission denied") -> str:
    """Return the folder of a bwrap that fails to create its namespaces."""
    script = folder / "bwrap"
    script.write_text(f"#!/bin/sh\necho '{message}' >&2\nexit 1\n")
    script.chmod(0o700)
    return str(folder)


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the kernel settings, for the test to fill, on a machine without another bubblewrap."""
    values: dict[str, str] = {}
    monkeypatch.setattr(find, "_content", lambda path: values.get(path.removeprefix("/proc/sys/"), ""))
    monkeypatch.setattr(find, "_CONTAINER_MARKS", ())
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    return values


@pytest.fixture
def bun() -> str:
    """Return the Bun of this environment."""
    return find_bun(None, os.environ)


@pytest.mark.parametrize("setting", CAUSES)
def test_the_blocking_setting_is_named(
    bun: str, tmp_path: Path, settings: dict[str, str], setting: str
) -> None:
    """The error shows bubblewrap's message, how to change the setting, and how to run without isolation."""
    settings[setting], expected = f"{CAUSES[setting][0]}\n", CAUSES[setting][1]

    with pytest.raises(SetupError, match=expected) as caught:
        find_sandbox(bun, {"PATH": failing_bwrap(tmp_path)})

    assert "setting up uid map: Permission denied" in str(caught.value)
    assert "BUNTIME_ISOLATION=none" in str(caught.value)
    assert "pip install" not in str(caught.value)


def test_a_container_is_named(
    bun: str, tmp_path: Path, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the container options that permit sandboxes."""
    mark = tmp_path / ".dockerenv"
    mark.touch()
    monkeypatch.setattr(find, "_CONTAINER_MARKS", (str(mark),))

    with pytest.raises(SetupError, match=r"container's settings.*--security-opt seccomp=unconfined"):
        find_sandbox(bun, {"PATH": failing_bwrap(tmp_path)})


def test_a_seccomp_filter_is_named(bun: str, tmp_path: Path, settings: dict[str, str]) -> None:
    """A seccomp filter is reported if a container is not recognizable."""
    settings["/proc/self/status"] = "Seccomp:\t2\n"

    with pytest.raises(SetupError, match="a seccomp filter refuses user namespaces"):
        find_sandbox(bun, {"PATH": failing_bwrap(tmp_path)})


def test_inside_a_sandbox_without_nested_namespaces() -> None:
    """The error is clear if a surrounding sandbox forbids further namespaces."""
    bwrap = find_sandbox(find_bun(None, os.environ), os.environ).bwrap
    outer = [bwrap, "--unshare-user", "--disable-userns", "--dev-bind", "/", "/", "--proc", "/proc"]
    code = "from buntime.transport import LocalTransport; LocalTransport()"

    done = subprocess.run([*outer, sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert "no further user namespace is allowed here" in done.stderr
    assert "pip install" not in done.stderr
