"""A dangling link in a folder ``cassettes`` aborted every pytest run if buntime was installed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Callable

import pytest

from tests.unit.pytest_plugin.conftest import run_tests

pytest_plugins = ["pytester"]


def dangling_link(path: Path) -> None:
    """Create a link without a target."""
    path.symlink_to("nowhere.json")


def loop(path: Path) -> None:
    """Create a link to itself."""
    path.symlink_to(path.name)


def pipe(path: Path) -> None:
    """Create a pipe without a writer."""
    os.mkfifo(path)


def folder(path: Path) -> None:
    """Create a folder with the name of a cassette."""
    path.mkdir()


def unreadable(path: Path) -> None:
    """Create a file that only root can read."""
    path.write_text("{}")
    path.chmod(0)


def unreadable_folder(path: Path) -> None:
    """Make the parent folder unreadable."""
    path.parent.chmod(0)


@pytest.mark.skipif(os.name == "nt", reason="there are no such files")
@pytest.mark.parametrize("create", [dangling_link, loop, pipe, folder, unreadable, unreadable_folder])
@pytest.mark.parametrize("name", ["test_it", "test_gone"])
def test_run_succeeds(
    create: Callable[[Path], None], name: str, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run succeeds, even if no test uses a fixture of buntime."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(test_it="def test_one(): pass")
    cassettes = pytester.path / "cassettes" / name
    cassettes.mkdir(parents=True)
    create(cassettes / "x.json")
    try:
        result = run_tests(pytester)
    finally:
        cassettes.chmod(0o700)
    result.assert_outcomes(passed=1)
    assert 0 == result.ret
    result.stdout.no_fnmatch_line("*without a test*")
