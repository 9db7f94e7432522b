"""The client's helper that watches files, on a workspace in memory."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from typing import Any

from buntime.service.scripted.file_helpers import MutableWorkspace, below
from buntime.service.workspace.paths import normalise

Arguments = Mapping[str, Any]
Stamps = dict[str, tuple[Any, ...]]


class ScriptedWatches:
    """The watches of one session, each with the last turn, its events, and the state after them."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._watches: dict[int, tuple[int, list[list[str]], Stamps]] = {}

    def has_news(self, workspace: MutableWorkspace, arguments: Arguments) -> bool:
        """Whether the response is there without waiting."""
        watch = self._watches.get(arguments["watch"])
        return watch is None or watch[0] == arguments["turn"] or watch[2] != _look(workspace, arguments)

    def reply_to(self, workspace: MutableWorkspace, arguments: Arguments) -> dict[str, Any]:
        """Begin a watch, end it, or return what changed since the last turn."""
        number, turn = arguments["watch"], arguments["turn"]
        if number == 0:
            workspace.stat(arguments["path"])
            number = next(self._numbers)
            self._watches[number] = (0, [], _look(workspace, arguments))
            return {"watch": number}
        if arguments["end"]:
            self._watches.pop(number, None)
        if number not in self._watches:
            return {"ended": True}
        last, events, old = self._watches[number]
        if last != turn:
            now = _look(workspace, arguments)
            events = _changes(old, now)
            self._watches[number] = (turn, events, now)
        return {"events": events}


def _look(workspace: MutableWorkspace, arguments: Arguments) -> Stamps:
    root = normalise(arguments["path"])
    try:
        root_entry = workspace.stat(root)
        entries = [root_entry]
        if root_entry.type == "directory":
            prefix = len(root) + 1 if root else 0
            entries = [each for _, each in below(workspace, root, prefix, re.compile(arguments["ignore"]))]
        return {
            each.path: (each.type, each.modified, workspace.read(each.path))
            if each.type == "file"
            else (each.type,)
            for each in entries
        }
    except FileNotFoundError:
        return {}


def _changes(old: Stamps, now: Stamps) -> list[list[str]]:
    def typed(stamps: Stamps, name: str) -> Any:
        return stamps[name][0] if name in stamps else None

    names = sorted(name for name in old.keys() | now.keys() if old.get(name) != now.get(name))
    gone = [name for name in reversed(names) if name in old and typed(old, name) != typed(now, name)]
    return [
        *(["deleted", name, typed(old, name)] for name in gone),
        *(
            ["changed" if typed(old, name) == typed(now, name) else "created", name, typed(now, name)]
            for name in names
            if name in now
        ),
    ]
