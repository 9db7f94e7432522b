"""Large streams in memory: compressed, as they are rarely looked at, and as lines of JSON in ASCII."""

from __future__ import annotations

import json
import zlib
from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Union

import attrs

from buntime._support.json_encoder import json_encoder

_PART = 1 << 20
_FASTEST = 1
_to_json = json_encoder()


class PackedChunks:
    """The chunks of a stream as they arrive, each with a number; all but the last megabyte are compressed."""

    def __init__(self) -> None:
        self._batches: deque[tuple[Sequence[float], Sequence[int], bytes]] = deque()
        """The numbers, the sizes and the content of chunks."""
        self._recent: list[tuple[float, bytes]] = []
        self._size = 0

    def append(self, number: float, chunk: bytes) -> None:
        """Add a chunk."""
        self._recent.append((number, chunk))
        self._size += len(chunk)
        if self._size >= _PART:
            numbers, chunks = zip(*self._recent)
            content = zlib.compress(b"".join(chunks), _FASTEST)
            self._batches.append((array("d", numbers), array("q", map(len, chunks)), content))
            self._recent, self._size = [], 0

    def reversed(self) -> Iterator[bytes]:
        """Yield the chunks from the last to the first."""
        yield from (chunk for _, chunk in reversed(self._recent))
        for batch in reversed(self._batches):
            yield from (chunk for _, chunk in reversed([*_unpacked(*batch)]))

    def drain(self) -> Iterator[tuple[float, bytes]]:
        """Yield the chunks with their numbers; they are dropped meanwhile."""
        while self._batches:
            yield from _unpacked(*self._batches.popleft())
        yield from self._recent
        self._recent = []


def _unpacked(
    numbers: Sequence[float], sizes: Sequence[int], content: bytes
) -> Iterator[tuple[float, bytes]]:
    chunks, start = zlib.decompress(content), 0
    for number, size in zip(numbers, sizes):
        yield number, chunks[start : start + size]
        start += size


@attrs.frozen
class PackedList:
    """JSON values of which all but the last are compressed; made by :func:`pack`. Iteration decodes each."""

    _content: Sequence[bytes]
    _length: int
    """The number of compressed values."""
    _last: Sequence[Any]

    def __len__(self) -> int:
        return self._length + len(self._last)

    def __iter__(self) -> Iterator[Any]:
        yield from (json.loads(text[:-1]) for text in _split(self._parts()) if text)
        yield from self._last

    def __getitem__(self, index: Any) -> Any:
        return self._last[-1] if index == -1 else [*self][index]

    def with_last(self, values: Sequence[Any]) -> PackedList:
        """Return a list with one or more values in place of the last."""
        return attrs.evolve(self, last=values)

    def encoded(self) -> Iterator[bytes]:
        """Yield the JSON of the values, in pieces: a tab is before each value, and a comma between two."""
        yield from self._parts()
        yield ",".join(f"\t{_to_json(value)}" for value in self._last).encode("ascii")

    def _parts(self) -> Iterator[bytes]:
        unpacker = zlib.decompressobj()
        for content in self._content:
            rest = content
            while rest:
                yield unpacker.decompress(rest, _PART)
                rest = unpacker.unconsumed_tail


Values = Union[Sequence[Any], PackedList]
"""A list of JSON values, which may be packed."""


def pack(values: Iterable[Any]) -> Values:
    """Return JSON values as a list that needs little memory."""
    packer, parts, length, last = zlib.compressobj(_FASTEST), [], -1, None
    for length, value in enumerate(values):
        if length:
            parts.append(packer.compress(f"\t{_to_json(last)},".encode("ascii")))
        last = value
    parts.append(packer.flush())
    return PackedList(list(filter(None, parts)), length, [last]) if length >= 0 else []


def _split(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the texts between tabs."""
    beginning: list[bytes] = []
    for data in parts:
        first, *others = data.split(b"\t")
        beginning.append(first)
        if others:
            yield b"".join(beginning)
            *complete, last = others
            yield from complete
            beginning = [last]
    yield b"".join(beginning)


@attrs.frozen
class PackedLine:
    """A line of JSON, a list with a large list as its last item; ``start`` has the others."""

    start: str
    values: PackedList


Line = Union[str, PackedLine]


def encode_parts(line: Line) -> Iterable[bytes]:
    """Return the content of a line in parts; all of it at once would be another copy in memory."""
    if isinstance(line, PackedLine):
        return chain([f"{line.start},[".encode("ascii")], line.values.encoded(), [b"\t]]\n"])
    if len(line) <= _PART:
        return (line.encode("ascii"),)
    return (line[start : start + _PART].encode("ascii") for start in range(0, len(line), _PART))


def loads(line: Line) -> Any:
    """Return the value of a line of JSON."""
    return json.loads(line) if isinstance(line, str) else [*json.loads(f"{line.start}]"), line.values]


def loads_parts(parts: Iterable[bytes]) -> Any:
    """As :func:`loads`, of a line as it is in a file, split at tabs."""
    parts = iter(parts)
    start = next(parts)
    items = [json.loads(part.rstrip(b",")) for part in parts if not part.startswith(b"]")]
    return [*json.loads(start[:-2] + b"]"), items] if start.endswith(b",[") else json.loads(start)
