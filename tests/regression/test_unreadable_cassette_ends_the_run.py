"""A dangling link in a folder ``cassettes`` ended every pytest run if buntime was installed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Callable

import pytest

pytest_plugins = ["pytester"]


def dangling_link(path: Path) -> None:
    """Make a link that leads nowhere."""
    path.symlink_to("nowhere.json")


def loop(path: Path) -> None:
    """Make a link to itself."""
    path.symlink_to(path.name)


def pipe(path: Path) -> None:
    """Make a pipe, which nobody writes to."""
    os.mkfifo(path)


def folder(path: Path) -> None:
    """Make a folder of such a name."""
    path.mkdir()


def unreadable(path: Path) -> None:
    """Make a file that only root can read."""
    path.write_text("{}")
    path.chmod(0)


def unreadable_folder(path: Path) -> None:
    """Take away the right to list the folder around."""
    path.parent.chmod(0)


@pytest.mark.skipif(os.name == "nt", reason="there are no such files")
@pytest.mark.parametrize("make", [dangling_link, loop, pipe, folder, unreadable, unreadable_folder])
@pytest.mark.parametrize("name", ["test_it", "test_gone"])
def test_run_is_not_disturbed(
    make: Callable[[Path], None], name: str, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if no test uses a fixture of buntime."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(test_it="def test_one(): pass")
    cassettes = pytester.path / "cassettes" / name
    cassettes.mkdir(parents=True)
    make(cassettes / "x.json")
    try:
        result = pytester.runpytest_inprocess("-p", "buntime.pytest_plugin.plugin")
    finally:
        cassettes.chmod(0o700)
    result.assert_outcomes(passed=1)
    assert 0 == result.ret
    result.stdout.no_fnmatch_line("*without a test*")
