"""Lines of JSON in ASCII in memory; a large one is compressed, as it is rarely looked at."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, Union

Line = Union[str, bytes]
"""A line, or one in the form of :func:`pack`."""

_PART = 1 << 20
_FASTEST = 1
_LARGE = 1 << 12
"""Bytes of a chunk from which on it is compressed."""


def pack(start: str, items: Iterable[str]) -> bytes:
    """Return a line of JSON: a list that starts like this, and whose last item is a list of ``items``.

    Neither the line is in memory as a whole nor, for :func:`loads`, are its items: there are tabs between.
    """
    packer = zlib.compressobj(_FASTEST)
    texts = chain([f"{start},["], (f"{',' * bool(n)}\t{item}" for n, item in enumerate(items)), ["\t]]\n"])
    parts = [packer.compress(text.encode("ascii")) for text in texts]
    return b"".join((*parts, packer.flush()))


def encode_parts(line: Line) -> Iterable[bytes]:
    """Return the content of a line in parts; all of it at once would be another copy in memory."""
    if isinstance(line, bytes):
        return _unpack(line)
    if len(line) <= _PART:
        return (line.encode("ascii"),)
    return (line[start : start + _PART].encode("ascii") for start in range(0, len(line), _PART))


def _unpack(line: bytes) -> Iterator[bytes]:
    unpacker = zlib.decompressobj()
    while line:
        yield unpacker.decompress(line, _PART)
        line = unpacker.unconsumed_tail


def loads(line: Line) -> Any:
    """Return the value of a line of JSON."""
    return json.loads(line) if isinstance(line, str) else loads_parts(_split(line))


def loads_parts(parts: Iterable[bytes]) -> Any:
    """As :func:`loads`, of a line that is split at tabs."""
    parts = iter(parts)
    start = next(parts)
    items = [json.loads(part.rstrip(b",")) for part in parts if not part.startswith(b"]")]
    return [*json.loads(start[:-2] + b"]"), items] if start.endswith(b",[") else json.loads(start)


def _split(line: bytes) -> Iterator[bytes]:
    beginning: list[bytes] = []
    for data in encode_parts(line):
        first, *others = data.split(b"\t")
        beginning.append(first)
        if others:
            yield b"".join(beginning)
            *complete, last = others
            yield from complete
            beginning = [last]
    yield b"".join(beginning)


class _Shrunk(bytes):
    """Bytes that are compressed."""


def shrink(chunk: bytes) -> bytes:
    """Return a chunk for :func:`expand`; a large one is compressed."""
    return chunk if len(chunk) < _LARGE else _Shrunk(zlib.compress(chunk, _FASTEST))


def expand(chunk: bytes) -> bytes:
    """Return the chunk that was shrunk."""
    return zlib.decompress(chunk) if isinstance(chunk, _Shrunk) else chunk
