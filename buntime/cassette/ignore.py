"""Parts of requests that are not compared, as they are new in each run."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any, Callable, Optional, Union

from buntime.errors import CassetteError

Normalise = Callable[[dict[str, Any]], Optional[dict[str, Any]]]
IgnoreRule = Union[str, re.Pattern[str], Normalise]
"""A field, a regular expression, or a function; see :class:`Ignore`."""

_IGNORED = "«ignored»"
_REGULAR_EXPRESSION = "re:"
_PART = re.compile(r"\[([^\]]*)\]|([^.\[\]]+)")
_FIELD = re.compile(r"\?.+|[^.\[\]]+(?:\.[^.\[\]]+|\[[^\]]+\])*", re.DOTALL)


class Ignore:
    """Replaces the parts of a request that are not compared.

    A rule is one of:

    - a field as ``buntime cassette show`` names it: ``"metadata.run"``, ``"helper.arguments[0].id"``, or
      ``"?since"`` for a parameter in the URL; ``[*]`` stands for each item of a list;
    - a regular expression, compiled or as ``"re:PATTERN"``: each match in any text of the request;
    - a function that is called with a copy of the request, a dict of ``method``, ``path``, ``query`` and a
      body (``json``, ``text`` or ``base64``), and changes it or returns another.

    Raises ``TypeError`` for any other rule, and ``ValueError`` for a wrong field or regular expression.
    """

    def __init__(self, rules: Union[IgnoreRule, Iterable[IgnoreRule]] = ()) -> None:
        self._fields: dict[str, list[str]] = {}
        self._patterns: dict[str, re.Pattern[str]] = {}
        self._functions: list[Normalise] = []
        self.values: set[tuple[object, str]] = set()
        """The names and the texts of the fields that were ignored in requests."""
        for rule in rules_of(rules):
            if isinstance(rule, re.Pattern):
                self._patterns[f"{_REGULAR_EXPRESSION}{rule.pattern}"] = rule
            elif isinstance(rule, str) and rule.startswith(_REGULAR_EXPRESSION):
                try:
                    self._patterns[rule] = re.compile(rule[len(_REGULAR_EXPRESSION) :])
                except re.error as error:
                    raise ValueError(f"ignore= has a wrong regular expression {rule!r}: {error}") from None
            elif isinstance(rule, str) and rule:
                self._fields[rule] = _parts(rule)
            elif callable(rule):
                self._functions.append(rule)
            else:
                raise TypeError(f"ignore= takes fields, regular expressions and functions, not {rule!r}")
        self.unmatched: dict[str, None] = dict.fromkeys((*self._fields, *self._patterns))
        """The fields and regular expressions that matched nothing so far, as a typing error does."""

    def __bool__(self) -> bool:
        return bool(self._fields or self._patterns or self._functions)

    def request(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return a request without the parts that are ignored, and without its test."""
        changed = {name: value for name, value in request.items() if name != "test"}
        changed = copy.deepcopy(changed) if self else changed
        for function in self._functions:
            changed = _normalised(function, changed)
        for rule, path in self._fields.items():
            query = changed.get("query", ())
            if rule.startswith("?") and any(key == rule[1:] for key, _ in query):
                changed["query"] = [[key, _IGNORED if key == rule[1:] else value] for key, value in query]
                self.unmatched.pop(rule, None)
            elif _replace(changed.get("json"), path, self.values):
                self.unmatched.pop(rule, None)
        return self.texts(changed) if self._patterns else changed

    def texts(self, value: Any, fields: Set[tuple[object, str]] = frozenset(), name: str = "") -> Any:
        """Return a JSON value without matches of the regular expressions, and without the texts of fields."""
        if isinstance(value, str):
            if (name, value) in fields:
                return _IGNORED
            for rule, pattern in self._patterns.items():
                value, count = pattern.subn(_IGNORED, value)
                if count:
                    self.unmatched.pop(rule, None)
            return value
        if isinstance(value, dict):
            return {key: self.texts(item, fields, key) for key, item in value.items()}
        return [self.texts(item, fields) for item in value] if isinstance(value, list) else value


def rules_of(ignore: Union[IgnoreRule, Iterable[IgnoreRule]]) -> tuple[IgnoreRule, ...]:
    """Return the rules of an argument ``ignore``, which may be one."""
    if isinstance(ignore, (str, re.Pattern)) or callable(ignore) or not isinstance(ignore, Iterable):
        return (ignore,)
    return tuple(ignore)


def _normalised(function: Normalise, request: dict[str, Any]) -> dict[str, Any]:
    name, call = getattr(function, "__name__", repr(function)), f"{request['method']} {request['path']}"
    try:
        result = function(request)
    except Exception as error:
        raise CassetteError(f"ignore=: the function {name} raised {error!r} for {call}") from error
    changed = request if result is None else result
    if not isinstance(changed, dict) or not {"method", "path"}.issubset(changed):
        # Not its value, which may be a body with secrets.
        kind = type(result).__name__
        raise CassetteError(f"ignore=: the function {name} returned {kind} for {call}, not a request")
    return changed


def _parts(field: str) -> list[str]:
    if _FIELD.fullmatch(field) is None:
        forms = "'metadata.run', 'files[*].content' or '?since'"
        raise ValueError(f"ignore= has a wrong field {field!r}; write it like {forms}")
    return [field] if field.startswith("?") else [index or name for index, name in _PART.findall(field)]


def _replace(value: Any, names: Sequence[str], values: set[tuple[object, str]]) -> bool:
    """Replace the field at a path, and add its name and text to ``values``; return whether it exists."""
    name, *rest = names
    keys: list[Any] = []
    if isinstance(value, dict):
        keys = [name] if name in value else []
    elif isinstance(value, list):
        paths = [item.get("path") if isinstance(item, dict) else None for item in value]
        keys = [index for index, path in enumerate(paths) if name in ("*", str(index), path)]
    if rest:
        return sum(_replace(value[key], rest, values) for key in keys) > 0
    for key in keys:
        if isinstance(value[key], str):
            values.add((key, value[key]))
        value[key] = _IGNORED
    return bool(keys)
