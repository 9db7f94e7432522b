"""Folders as values that a test can compare."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Union


def fill(root: Path, files: Mapping[str, Union[str, bytes, None]]) -> Path:
    """Write files by path; ``None`` creates a folder. Return ``root``."""
    root.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = root / name
        if content is None:
            path.mkdir(parents=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def content_of(root: Path) -> dict[str, Union[bytes, None]]:
    """Return everything below ``root``: files by path, folders as ``None``, links as text."""
    contents: dict[str, Union[bytes, None]] = {}
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(folder, name)
            key = path.relative_to(root).as_posix()
            if path.is_symlink():
                contents[key] = f"-> {os.readlink(path)}".encode()
            else:
                contents[key] = None if path.is_dir() else path.read_bytes()
    return dict(sorted(contents.items()))


def random_names(seed: int, count: int) -> list[str]:
    """Return different valid file names: any Unicode except a slash and NUL, up to 255 bytes."""
    source = random.Random(seed)
    names: set[str] = set()
    while len(names) < count:
        length = source.choice([1, 2, 3, 5, 8, 20, 60])
        name = "".join(_character(source) for _ in range(length))
        if name not in {".", "..", ".buntime"} and len(name.encode()) <= 255:
            names.add(name)
    return sorted(names)


def _character(source: random.Random) -> str:
    highest = source.choice([0x7F, 0xFF, 0xD7FF, 0x10FFFF])
    while True:
        code = source.randint(1, highest)
        if chr(code) != "/" and not 0xD800 <= code <= 0xDFFF:
            return chr(code)
