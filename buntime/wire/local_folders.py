"""The folders of sandboxes on this machine in texts, with the paths that a sandbox has for them.

Without isolation, programs print folders whose names differ in each run; with it, the paths are fixed.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping

_PART = r"/[^/\s\"'`:;,=()<>{}|\[\]]+"
_TEMPORARY = rf"(?:{_PART}){{0,30}}?/buntime-[a-z0-9_]{{8}}"
_SCRATCH = {"home": "/home", "tmp": "/tmp", "bin:": ""}  # noqa: S108 - the path in a sandbox


class LocalFolders:
    """The folders of one kind of sandbox.

    Arguments:
        parent: the folder that has a folder for each sandbox, named after its id.
        paths: the folders below that one, ``""`` for itself, each with its path in a sandbox.
    """

    def __init__(self, parent: str, paths: Mapping[str, str]) -> None:
        self.hint: str = f"/buntime-|/{parent}/[a-z]+_"
        """A regular expression that is found in each text with such a folder."""
        self._paths = paths
        self._pattern = re.compile(
            rf"(?<![\w./-])(?!/v1/)(?:(?:{_TEMPORARY}|(?:{_PART}){{1,30}}?/{parent})/(?!node_modules)(?P<id>[a-z]+_[A-Za-z0-9]+)(?:/(?P<folder>home|tmp))?"
            rf"|{_TEMPORARY}/(?P<scratch>home|tmp|bin:)"
            rf"|(?<=/node_modules/\.bin:)(?P<parents>(?:(?!/workspace/)(?:{_PART}){{1,30}}?/node_modules/\.bin:)+))(?![\w-])"
        )

    def spans(self, text: str, ids: Container[str]) -> Iterator[tuple[int, int, str]]:
        """Yield the start and the end of each folder of the sandboxes with these ids, and its path."""
        for match in self._pattern.finditer(text):
            folder = match["folder"] or match["scratch"] or ""
            name = (self._paths if match["id"] in ids else _SCRATCH).get(folder)
            if name is not None or match["parents"]:
                yield match.start(), match.end(), name or ""
