"""The forms of an uploaded file, as ``multipart/form-data``."""

from __future__ import annotations

import io
import re
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import requests

from buntime.runloop.wire.multipart import NamedFile, form, to_file
from tests.runloop.client.stub import Stub
from tests.support.cases import in_one_test


def _parts(file: Any) -> tuple[str, str, bytes]:
    """Return the name, the type and the content of the file in a form, read twice."""
    content_type, body = form({"path": "p", "file": file})
    with body.open() as attempt:
        data = attempt.read()
    with body.open() as attempt:
        assert data == attempt.read()
    assert body.size == len(data)
    boundary = content_type.partition("boundary=")[2].encode()
    _, path, part, end = data.split(b"--" + boundary)
    assert (b'\r\nContent-Disposition: form-data; name="path"\r\n\r\np\r\n', b"--\r\n") == (path, end)
    head, _, content = part.partition(b"\r\n\r\n")
    name = re.search(r'name="file"; filename="([^"]*)"', head.decode())
    kind = re.search(r"Content-Type: (.*)", head.decode())
    assert name is not None
    assert kind is not None
    return name.group(1), kind.group(1).strip(), content[:-2]


def _response() -> requests.Response:
    response = requests.Response()
    response.status_code = 200
    response.url = "https://files.example/a/my%20file.txt?token=1"
    response.raw = io.BytesIO(b"content")
    return response


_OCTETS = "application/octet-stream"


@in_one_test(
    ("file", "expected"),
    [
        (b"content", ("upload", _OCTETS, b"content")),
        (bytearray(b"content"), ("upload", _OCTETS, b"content")),
        ("t\u00e9xt", ("upload", _OCTETS, "t\u00e9xt".encode())),
        (io.BytesIO(b"content"), ("upload", _OCTETS, b"content")),
        (io.StringIO("t\u00e9xt"), ("upload", _OCTETS, "t\u00e9xt".encode())),
        (iter([b"con", "te", memoryview(b"nt")]), ("upload", _OCTETS, b"content")),
        (_response(), ("my file.txt", _OCTETS, b"content")),
        (to_file(b"content", "n.txt"), ("n.txt", _OCTETS, b"content")),
        (to_file("x", "n.txt", "text/plain"), ("n.txt", "text/plain", b"x")),
        (("n.txt", b"content"), ("n.txt", _OCTETS, b"content")),
        (("n.txt", b"content", "text/plain"), ("n.txt", "text/plain", b"content")),
        (("n.txt", b"content", "text/plain", {"X-A": "b"}), ("n.txt", "text/plain", b"content")),
        ((None, b"content"), ("upload", _OCTETS, b"content")),
        (b"", ("upload", _OCTETS, b"")),
        (('a"b\r\n.txt', b"x"), ("a%22b%0D%0A.txt", _OCTETS, b"x")),
    ],
)
def test_forms(file: Any, expected: tuple[str, str, bytes]) -> None:
    """Each form has its content, its name and its type, and can be read for each attempt."""
    assert expected == _parts(file)


def test_files_on_disk(tmp_path: Path) -> None:
    """A path and an open file have the name of the file; an open file is sent from its position."""
    path = tmp_path / "a.bin"
    path.write_bytes(b"0123456789")
    assert ("a.bin", _OCTETS, b"0123456789") == _parts(path)
    with path.open("rb") as file:
        file.seek(4)
        assert ("a.bin", _OCTETS, b"456789") == _parts(file)
        assert not file.closed
    with path.open(encoding="utf-8") as text:
        assert b"0123456789" == _parts(text)[2]


@in_one_test("wrong", [None, 7, {"a": b"b"}, ("a",), (1, b"x"), [1, 2], ("a", b"b", "c", {}, 1)], ids=repr)
def test_anything_else_is_refused(wrong: Any) -> None:
    """Anything that cannot be a file is a TypeError before anything is sent."""
    stub = Stub()
    with stub.client() as client, pytest.raises(TypeError, match="file"):
        client.devbox.from_id("dbx_1").file.upload(path="p", file=wrong)
    assert [] == stub.requests


def test_header_injection_is_refused() -> None:
    """A type with a line end is refused."""
    with pytest.raises(ValueError, match="cannot be part of a header"):
        form({"path": "p", "file": NamedFile("n", b"x", "text/plain\r\nX-A: b")})


def test_large_file_is_never_in_memory(tmp_path: Path) -> None:
    """The body reads the file as it is sent: 200 MB take less than 10 MB."""
    path = tmp_path / "sparse.bin"
    with path.open("wb") as file:
        file.truncate(200_000_000)
    tracemalloc.start()
    try:
        _, body = form({"path": "p", "file": path})
        total = 0
        with body.open() as file:
            while piece := file.read(1 << 16):
                total += len(piece)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert body.size == total
    assert peak < 10_000_000
