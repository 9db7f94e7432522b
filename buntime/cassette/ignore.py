"""Parts of requests that are not compared, as they are new in each run."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Callable, Optional, Union

Normalise = Callable[[dict[str, Any]], Optional[dict[str, Any]]]
IgnoreRule = Union[str, re.Pattern[str], Normalise]
"""A field, a regular expression, or a function; see :class:`Ignore`."""

_IGNORED = "«ignored»"
_REGULAR_EXPRESSION = "re:"
_PART = re.compile(r"\[([^\]]*)\]|([^.\[\]]+)")


class Ignore:
    """Replaces the parts of a request that are not compared.

    A rule is one of:

    - a field as ``buntime cassette show`` names it: ``"metadata.run"``, ``"helper.arguments[0].id"``, or
      ``"?since"`` for a parameter in the URL; ``[*]`` stands for each item of a list;
    - a regular expression, compiled or as ``"re:PATTERN"``: each match in any text of the request;
    - a function that is called with a copy of the request, a dict of ``method``, ``path``, ``query`` and a
      body (``json``, ``text`` or ``base64``), and changes it or returns another.

    Raises ``TypeError`` for any other rule, and ``ValueError`` for a wrong regular expression.
    """

    def __init__(self, rules: Union[IgnoreRule, Iterable[IgnoreRule]] = ()) -> None:
        if isinstance(rules, (str, re.Pattern)) or callable(rules):
            rules = (rules,)
        self._fields: list[list[str]] = []
        self._patterns: list[re.Pattern[str]] = []
        self._functions: list[Normalise] = []
        for rule in rules:
            if isinstance(rule, re.Pattern):
                self._patterns.append(rule)
            elif isinstance(rule, str) and rule.startswith(_REGULAR_EXPRESSION):
                self._patterns.append(_compiled(rule[len(_REGULAR_EXPRESSION) :]))
            elif isinstance(rule, str) and rule:
                self._fields.append(_parts(rule))
            elif callable(rule):
                self._functions.append(rule)
            else:
                raise TypeError(f"ignore= takes fields, regular expressions and functions, not {rule!r}")

    def __bool__(self) -> bool:
        return bool(self._fields or self._patterns or self._functions)

    def request(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return a request without the parts that are ignored."""
        if not self:
            return dict(request)
        changed: dict[str, Any] = copy.deepcopy(dict(request))
        for function in self._functions:
            result = function(changed)
            changed = changed if result is None else result
        for name, *inner in self._fields:
            if name.startswith("?"):
                query = changed.get("query", ())
                changed["query"] = [[key, _IGNORED if f"?{key}" == name else value] for key, value in query]
            else:
                _replace(changed.get("json"), (name, *inner))
        return self.texts(changed) if self._patterns else changed

    def texts(self, value: Any) -> Any:
        """Return a JSON value with the matches of the regular expressions in its texts replaced."""
        if isinstance(value, str):
            for pattern in self._patterns:
                value = pattern.sub(_IGNORED, value)
            return value
        if isinstance(value, dict):
            return {name: self.texts(item) for name, item in value.items()}
        return [self.texts(item) for item in value] if isinstance(value, list) else value


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(f"ignore= has a wrong regular expression {pattern!r}: {error}") from None


def _parts(field: str) -> list[str]:
    return [field] if field.startswith("?") else [index or name for index, name in _PART.findall(field)]


def _replace(value: Any, path: Sequence[str]) -> None:
    """Replace the field at a path; one that does not exist stays so."""
    name, *rest = path
    keys: list[Any] = []
    if isinstance(value, dict):
        keys = [name] if name in value else []
    elif isinstance(value, list):
        keys = [index for index, item in enumerate(value) if name in {"*", str(index), _name_of(item)}]
    for key in keys:
        if rest:
            _replace(value[key], rest)
        else:
            value[key] = _IGNORED


def _name_of(item: Any) -> Any:
    return item["path"] if isinstance(item, dict) and isinstance(item.get("path"), str) else None
