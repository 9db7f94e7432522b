"""Executions of helpers as a cassette shows them: arguments and replies as values, files as text."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Optional

from buntime.wire.constants import HELPER_BUN_OPTIONS
from buntime.wire.json import json_object

NUMBERED = re.compile(r"(\.buntime/(?:staged|calls)/[0-9a-f]{32})~[0-9]+")
"""A name of a file with arguments: its number depends on the order of threads."""
CALLS = frozenset({"call", "repl_eval"})
"""The helpers whose reply may be anywhere in their output, after a mark."""
_PROGRAM = "// buntime:helper "
_HELPER_OPTION = ("BUN_OPTIONS", HELPER_BUN_OPTIONS)
_SIZES = ("length", "limit", "budget")
"""The arguments of helpers that divide a transfer into pieces, of other sizes in another release."""


def helper_of(code: object) -> Optional[dict[str, Any]]:
    """Return the operation and the arguments of a helper, from its first line; else ``None``."""
    if not isinstance(code, str) or not code.startswith(_PROGRAM):
        return None
    return json_object(code.partition("\n")[0][len(_PROGRAM) :])


def with_helper(body: Mapping[str, Any], helper: dict[str, Any]) -> dict[str, Any]:
    """Return the body of an execution with its helper decoded, without files that only carry arguments."""
    parts = [file for file in body.get("files") or () if isinstance(file, dict)]
    pairs = [(file.get("path"), file.get("content")) for file in parts]
    files = {path: text for path, text in pairs if isinstance(path, str) and isinstance(text, str)}
    decoded, carried = _decoded_helper(helper, files)
    result: dict[str, Any] = {}
    for name, value in body.items():
        if name == "code":
            result["helper"] = decoded
        elif name == "env" and isinstance(value, dict):
            # Every helper has the option, which is a part of how it is run, like its program.
            rest = {key: item for key, item in value.items() if (key, item) != _HELPER_OPTION}
            result.update({"env": rest} if rest else {})
        elif name != "files" or not carried:
            result[name] = value
        elif files.keys() - carried:
            result[name] = [file for file in parts if file.get("path") not in carried]
    return result


def _decoded_helper(helper: dict[str, Any], files: Mapping[str, str]) -> tuple[dict[str, Any], set[str]]:
    """Return the operation and the arguments of a helper, and the names of the files that carried some."""
    rest = dict(helper)
    if helper.get("op") in CALLS:
        names = helper.get("files", ())
        carried = set(names) & files.keys() if isinstance(names, list) else set()
        text = helper.get("payload", "".join(files[name] for name in files if name in carried))
        payload = json_object(text) if isinstance(text, str) else None
        if payload is not None:
            for name in ("payload", "files"):
                rest.pop(name, None)
            return {**rest, **payload}, carried
        if isinstance(names, list):
            rest["files"] = [NUMBERED.sub(r"\1", str(name)) for name in names]
        return rest, set()
    rest = {name: value for name, value in helper.items() if name not in _SIZES}
    path = rest.get("path")
    if isinstance(path, str) and NUMBERED.search(path):
        rest["path"] = NUMBERED.sub(r"\1", path)
        rest.pop("part", None)  # the name of a part depends on that of the file
    staged = rest.get("staged")
    if not isinstance(staged, str) or staged not in files:
        return rest, set()
    del rest["staged"]
    try:
        is_base64 = helper.get("op") in {"file_piece", "process_write"}
        content = {"base64": files[staged]} if is_base64 else {"files": json.loads(files[staged])}
    except (ValueError, RecursionError):
        content = {"content": files[staged]}
    return {**rest, **as_text(content)}, {staged}


def parse_reply(line: str) -> Optional[dict[str, Any]]:
    """Return the JSON object in a line; ``None`` for anything else."""
    with suppress(ValueError, RecursionError):
        reply = json.loads(line, parse_constant=int)  # a ValueError for NaN, which JSON does not have
        return reply if isinstance(reply, dict) else None
    return None


def as_text(value: Any) -> Any:
    """Return a value of a helper with bytes that are text as text: ``base64`` becomes ``text``."""
    if isinstance(value, list):
        return [as_text(item) for item in value]
    if not isinstance(value, dict):
        return value
    result: dict[str, Any] = {}
    for name, item in value.items():
        if name == "base64" and isinstance(item, str) and "text" not in value:
            text = _text(item)
            result.update({"base64": item} if text is None else {"text": text})
        elif name == "contents" and isinstance(item, list):
            result[name] = [as_text({"base64": one}) if isinstance(one, str) else one for one in item]
        else:
            result[name] = as_text(item)
    return result


def _text(encoded: str) -> Optional[str]:
    try:
        content = base64.b64decode(encoded, validate=True)
        return content.decode() if base64.b64encode(content).decode() == encoded else None
    except ValueError:
        return None


def as_base64(reply: Any) -> Any:
    """Return a reply of a helper with its texts in base64, as the helper sends them."""
    if not isinstance(reply, dict):
        return reply
    result: dict[str, Any] = {}
    for name, item in reply.items():
        if name == "contents" and isinstance(item, list):
            result[name] = [as_base64(one)["base64"] if isinstance(one, dict) else one for one in item]
        elif name == "text" and isinstance(item, str):
            result["base64"] = base64.b64encode(item.encode("utf-8", "surrogatepass")).decode()
        else:
            result[name] = item
    return result
