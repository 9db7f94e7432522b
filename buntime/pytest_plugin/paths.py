"""The path of a test's cassette: a file name for every test, on every file system."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence, Set
from io import BytesIO
from pathlib import Path
from typing import Optional

FOLDER = "cassettes"
ORPHANS_OPTION = "--buntime-orphans"
"""Writes the cassettes without a test to a file, for ``buntime cassette prune``."""

_LONGEST = 120
_IDENTIFIER = re.compile(r"[A-Za-z0-9_]+")
_PARAMETERS = re.compile(r"[a-z0-9_.-]+")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")


def module_folder(test_file: Path) -> Path:
    """Return the folder of the cassettes of one test file, beside it."""
    return test_file.parent / FOLDER / test_file.stem


def file_name(names: Sequence[str], parameters: Optional[str] = None) -> str:
    """Return the name of a test's cassette.

    Arguments:
        names: the classes around the test, outermost first, and its function.
        parameters: the id of its parametrisation.

    A name that a file system could refuse, cut or confuse with another is made safe, with a hash after
    ``~``, which no other name has. That includes capitals in ``parameters``, as some file systems ignore
    case.
    """
    stem = ".".join(names) + ("" if parameters is None else f"-{parameters}")
    plain = all(_IDENTIFIER.fullmatch(name) for name in names) and (
        parameters is None or _PARAMETERS.fullmatch(parameters) is not None
    )
    if plain and len(stem) <= _LONGEST:
        return f"{stem}.json"
    digest = hashlib.sha256(json.dumps([*names, parameters]).encode())
    safe = _UNSAFE.sub("-", stem)[: _LONGEST - 11].rstrip("-.")
    return f"{safe}~{digest.hexdigest()[:10]}.json"


def orphans(expected: Mapping[Path, Set[Path]]) -> list[Path]:
    """Return the cassettes without a test.

    Arguments:
        expected: the cassettes of the tests by test file. Their folders are searched, and the folders beside
            them of test files that no longer exist.
    """
    in_use = {path for paths in expected.values() for path in paths}
    folders = {module_folder(file) for file in expected}
    for parent in {folder.parent for folder in folders}:
        folders |= {folder for folder in _folders(parent) if not _has_test_file(folder)}
    unused = (path for folder in folders for path in folder.glob("*.json") if path not in in_use)
    return sorted(path for path in unused if _is_cassette(path))


def _folders(parent: Path) -> list[Path]:
    return [entry for entry in parent.iterdir() if entry.is_dir()] if parent.is_dir() else []


def _has_test_file(folder: Path) -> bool:
    # A doctest may be in a file that is not Python.
    return any(file.stem == folder.name for file in folder.parents[1].iterdir() if file.is_file())


def _is_cassette(file: Path) -> bool:
    """Whether a file begins like a cassette of ours: other libraries have cassettes in the same folder."""
    # A link may lead nowhere, a file may be unreadable, and opening a pipe would wait for a writer.
    try:
        with file.open("rb") if file.is_file() else BytesIO() as opened:
            return b'"buntime_cassette"' in opened.read(64)
    except OSError:
        return False
