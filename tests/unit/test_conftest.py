"""The checks that run around every other test."""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path

import pytest

from tests.conftest import ExternalNetworkError, _take_snapshot


def test_external_addresses_raise() -> None:
    """A socket to another machine fails before anything is sent."""
    with socket.socket() as external, pytest.raises(ExternalNetworkError):
        external.connect(("192.0.2.1", 80))


def test_external_names_raise() -> None:
    """The name of another machine is not resolved."""
    with pytest.raises(ExternalNetworkError):
        socket.getaddrinfo("api.buntime.sh", 443)


def test_invalid_names_do_not_exist() -> None:
    """A name under .invalid fails as it does on every network."""
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("nowhere.invalid", 443)


def test_descriptors_and_folders_are_detected(temporary_folder: Path) -> None:
    """An open descriptor and a temporary folder count as left behind."""
    before = _take_snapshot(temporary_folder)
    with tempfile.TemporaryDirectory(prefix="buntime-") as folder, open(os.devnull) as opened:
        leftovers = _take_snapshot(temporary_folder).left_behind(before)
    assert f"folder {Path(folder).name}" in leftovers
    if Path("/proc/self/fd").is_dir():
        assert any(leftover.endswith(f"({opened.name})") for leftover in leftovers)
