"""The watch that the other tests are kept under."""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path

import pytest

from tests.conftest import ExternalNetworkError, _take_snapshot


def test_outside_addresses_are_refused() -> None:
    """A socket to another machine fails before anything is sent."""
    with socket.socket() as outside, pytest.raises(ExternalNetworkError):
        outside.connect(("192.0.2.1", 80))


def test_outside_names_are_refused() -> None:
    """A name of another machine is not looked up."""
    with pytest.raises(ExternalNetworkError):
        socket.getaddrinfo("api.buntime.sh", 443)


def test_invalid_names_do_not_exist() -> None:
    """A name under .invalid fails as it does on every network."""
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("nowhere.invalid", 443)


def test_descriptors_and_folders_are_noticed(temporary_folder: Path) -> None:
    """An open descriptor and a temporary folder count as left behind."""
    before = _take_snapshot(temporary_folder)
    with tempfile.TemporaryDirectory(prefix="buntime-") as folder, open(os.devnull) as opened:
        left = _take_snapshot(temporary_folder).left_behind(before)
    assert f"folder {Path(folder).name}" in left
    if Path("/proc/self/fd").is_dir():
        assert any(found.endswith(f"({opened.name})") for found in left)
