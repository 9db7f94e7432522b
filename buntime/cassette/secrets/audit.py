"""Secrets in a cassette: left there by hand, by a merge, or by an older release."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from buntime.cassette.file import Cassette
from buntime.cassette.secrets.redactor import Redactor
from buntime.cassette.secrets.registry import hide_named
from buntime.wire import volatile


def secrets_in(cassette: Cassette, allow: Iterable[str] = ()) -> Iterator[str]:
    """Yield the places where a secret was left, in words that do not show it.

    Looked for are well-known keys, but those that begin as ``allow`` says, and values that are named like
    secrets and are not hidden.
    """
    masking = Redactor(allow)
    for number, interaction in enumerate(cassette.interactions, 1):
        found = masking.blocked(interaction)
        parts = {"request": interaction.request, "response": interaction.response}
        places = (place for name, part in parts.items() for place in _named(part, name))
        found += [f"a value that is not hidden ({place})" for place in places]
        yield from (f"interaction {number}, {interaction.call}, holds {what}" for what in found)


def _named(message: Mapping[str, Any] | None, place: str) -> Iterator[str]:
    """Yield where a message has a value that recording it would have hidden for its name."""
    if message is None:
        return
    body = message.get("json")
    env = volatile.environment(message.get("method", ""), message.get("path", ""), body)
    parts: list[tuple[Any, Mapping[str, Any]]] = [(body, env)]
    parts += [({name: value}, {}) for name, value in message.get("query") or ()]
    parts += [(event[-1], {}) for event in message.get("events") or ()]
    for part, variables in parts:
        yield from _changed(part, hide_named(part, variables), place)


def _changed(before: Any, after: Any, place: str) -> Iterator[str]:
    if before == after:
        return
    if isinstance(before, dict):
        for name, value in before.items():
            yield from _changed(value, after[name], f"{place} {name}")
    elif isinstance(before, list):
        for old, new in zip(before, after):
            yield from _changed(old, new, place)
    else:
        yield place
