"""The hint of a text with folders of sandboxes: a text without it is not searched for them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from buntime.cassette.dialect import Dialect
from buntime.runloop.wire.dialect import DIALECT as RUNLOOP
from buntime.wire.dialect import DIALECT
from buntime.wire.local_folders import LocalFolders

_CREATED: list[tuple[str, Dialect, str, dict[str, str]]] = [
    ("sessions", DIALECT, "/sessions/create", {"sessionId": "ses_aB3"}),
    ("devboxes", RUNLOOP, "/v1/devboxes", {"id": "dbx_aB3"}),
]


def _sandboxes() -> Iterator[tuple[str, str, LocalFolders]]:
    """Yield the name of the folder of all sandboxes, an id and the folders, of a session and of a devbox."""
    for parent, dialect, path, body in _CREATED:
        for _, value, _, folders in dialect.new_ids({"method": "POST", "path": path}, body):
            assert folders is not None
            yield parent, value, folders


_names = st.sampled_from(["a", "é", "buntime-ab12cd34", "sessions", "devboxes", "tmp", "node_modules"])


@given(
    st.sampled_from([*_sandboxes()]),
    st.lists(_names, max_size=3),
    st.sampled_from(["", "/home", "/tmp/b.txt", "/c"]),
    st.integers(0, 4),
    st.sampled_from(["", "PATH=", "é", "\n", '"', "/node_modules/.bin:"]),
)
def test_each_text_with_a_folder_has_the_hint(
    sandbox: tuple[str, str, LocalFolders], root: list[str], below: str, skipped: int, before: str
) -> None:
    """Also the rest of a ``PATH`` that begins with a folder around that of the sandbox."""
    parent, value, folders = sandbox
    parts = [*root, parent, value]
    above = ["".join(f"/{part}" for part in parts[:count]) for count in range(len(parts), -1, -1)]
    path = ":".join([*(f"{folder}/node_modules/.bin" for folder in above[skipped:]), "/usr/bin"])
    for text in (f"{before}{above[0]}{below}", f"{before}{path}"):
        has_folder = f"/{parent}/" in text and [*folders.spans(text, {value})]
        assert not has_folder or re.search(folders.hint, text)
