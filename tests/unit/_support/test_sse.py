"""The event-stream format, for any division of the bytes into chunks."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from buntime._support import sse
from tests.support.cases import in_one_test


def _events(*chunks: bytes) -> list[tuple[str, str]]:
    return list(sse.events(chunks))


def _split(body: bytes, cuts: Iterable[int]) -> list[bytes]:
    points = [0, *sorted(cuts), len(body)]
    return [body[start:end] for start, end in zip(points, points[1:])]


@in_one_test(
    ("body", "expected"),
    [
        (b"data: a\n\n", [("", "a")]),
        (b"data:a\n\n", [("", "a")]),
        (b"data:  a\n\n", [("", " a")]),
        (b"event: x\ndata: a\n\n", [("x", "a")]),
        (b"data: a\nevent:x\n\n", [("x", "a")]),
        (b"data: a\ndata: b\n\n", [("", "a\nb")]),
        (b"data\n\n", [("", "")]),
        (b"data:\ndata:\n\n", [("", "\n")]),
        (b"event: x\n\ndata: a\n\n", [("", "a")]),
        (b"data: a\r\rdata: b\r\r", [("", "a"), ("", "b")]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [("", "a"), ("", "b")]),
        (b"data: a\r\n\ndata: b\n\r\n", [("", "a"), ("", "b")]),
        (b": keep-alive\n\n:\n\ndata: a\n\n", [("", "a")]),
        (b"id: 7\nretry: 100\nunknown: x\ndata: a\n\n", [("", "a")]),
        (b"\xef\xbb\xbfdata: a\n\n", [("", "a")]),
        (b"data: \xef\xbb\xbfa\n\n", [("", "\ufeffa")]),
        (b"data: \xff\n\n", [("", "\ufffd")]),
        (b"data: a\n\ndata: cut\n", [("", "a")]),
        (b"data: a\n\ndata: cut", [("", "a")]),
        (b"data: a: b\n\n", [("", "a: b")]),
        (b"data: a\x0b\x0cb\xc2\x85c\xe2\x80\xa8d\n\n", [("", "a\x0b\x0cb\x85c\u2028d")]),
        (b"", []),
        (b"\n\n\n", []),
        (b"\xef\xbb", []),
    ],
)
def test_the_format(body: bytes, expected: list[tuple[str, str]]) -> None:
    """Complete, and one byte at a time."""
    assert expected == _events(body)
    assert expected == _events(*(bytes([byte]) for byte in body))
    assert expected == _events(b"", body, b"")


def test_a_character_may_be_split() -> None:
    """The bytes of one character may be in different chunks."""
    assert [("", "😀")] == _events(b"data: \xf0\x9f", b"\x98\x80\n\n")


def test_a_carriage_return_ends_a_line_immediately() -> None:
    """An event is not delayed to check for a line feed."""
    read: list[int] = []

    def chunks() -> Iterable[bytes]:
        for number, chunk in enumerate([b"data: a\r\n\r", b"\ndata: b\r\n\r\n"]):
            read.append(number)
            yield chunk

    events = sse.events(chunks())
    assert ("", "a") == next(events)
    assert [0] == read
    assert [("", "b")] == list(events)


_line = st.sampled_from(
    [b"data: a", b"data:b", b"event: x", b": c", b"data", b"id: 1", b"", b"", "data: é😀".encode()]
)
_bodies = st.lists(st.tuples(_line, st.sampled_from([b"\n", b"\r", b"\r\n"])), max_size=12).map(
    lambda lines: b"".join(line + end for line, end in lines)
)


@given(body=_bodies | st.binary(max_size=60) | _bodies.map(lambda b: b"\xef\xbb\xbf" + b), data=st.data())
def test_chunks_do_not_matter(body: bytes, data: st.DataObject) -> None:
    """Any division of the bytes gives the same events."""
    cuts = data.draw(st.lists(st.integers(0, len(body)), max_size=8))
    assert _events(body) == _events(*_split(body, cuts))


@given(texts=st.lists(st.text(st.characters(blacklist_characters="\r\n", blacklist_categories=["Cs"]))))
def test_every_text_arrives(texts: list[str]) -> None:
    """Each text sent as one line of data is received unchanged."""
    body = "".join(f"data: {text}\n\n" for text in texts).encode()
    assert [("", text) for text in texts] == _events(body)


def test_a_line_feed_alone_after_a_carriage_return() -> None:
    """A line end divided between two chunks is one line end."""
    assert [("", "a"), ("", "b")] == _events(b"data: a\r", b"\n", b"\r", b"\n", b"data: b\r", b"", b"\n\r")


def test_a_line_end_inside_a_character() -> None:
    """Each line is decoded separately, because no character spans two lines."""
    assert [("", "\ufffd\n\ufffd")] == _events(b"data: \xf0\x9f\ndata: \x98\n\n")


@given(
    lines=st.lists(
        st.text(st.characters(blacklist_characters="\r\n", blacklist_categories=["Cs"])), min_size=1
    )
)
def test_line_ends_are_equivalent(lines: list[str]) -> None:
    """The lines of one event are joined by LF, whichever line ends were sent."""
    for end in ("\n", "\r", "\r\n"):
        body = "".join(f"data: {line}{end}" for line in lines) + end
        assert [("", "\n".join(lines))] == _events(body.encode())
